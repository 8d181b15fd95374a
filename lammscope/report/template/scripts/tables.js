// Tables: sorting, search, filters, more columns, all rows, copy and download. The listeners are on
// the page, so that tables with many rows cost nothing until they are used.
{
  const FIRST = 25; // rows of a long table, before all are asked for

  const rowsOf = box => [...box.querySelector("tbody").rows];
  const headsOf = box => [...box.querySelector("thead").rows[0].cells];
  const isShown = (box, cell) => box.classList.contains("wide") || !cell.classList.contains("more");
  const mainText = cell => cell.firstChild ? cell.firstChild.textContent : "";
  const sortKey = cell => cell.dataset.sort ?? mainText(cell).toLowerCase();

  function sortRows(head) {
    const box = head.closest(".table"), place = head.cellIndex;
    const numeric = head.classList.contains("right"), down = head.getAttribute("aria-sort") === "ascending";
    const keyed = rowsOf(box).map(row => [sortKey(row.cells[place]), row]);
    keyed.sort(([a], [b]) => {
      if (a === "" || b === "") return (a === "") - (b === "");
      const order = numeric ? a - b : a.localeCompare(b, "en", { numeric: true });
      return down ? -order : order;
    });
    headsOf(box).forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    box.querySelector("tbody").append(...keyed.map(([, row]) => row));
    showRows(box);
  }

  function showRows(box) {
    const words = (box.querySelector("input[type=search]")?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = [...box.querySelectorAll("select")].filter(select => select.value);
    const all = box.querySelector("[data-action=all]"), asked = words.length + chosen.length > 0;
    const most = all && !asked && !box.classList.contains("all") ? FIRST : Infinity;
    const matches = row => {
      const text = [...row.cells].filter(cell => isShown(box, cell)).map(cell => cell.textContent).join(" ").toLowerCase();
      return words.every(word => text.includes(word)) && chosen.every(select => {
        const cell = row.cells[select.dataset.column];
        return (cell.dataset.group ?? mainText(cell)) === select.value;
      });
    };
    const rows = rowsOf(box);
    let shown = 0;
    for (const row of rows) {
      row.hidden = shown >= most || (asked && !matches(row));
      shown += !row.hidden;
    }
    if (all) all.hidden = asked;
    const count = box.querySelector(".count"), total = rows.length.toLocaleString("en");
    if (count) count.textContent = shown < rows.length ? `${shown.toLocaleString("en")} of ${total} rows` : `${total} rows`;
  }

  // A value for a file: numbers as programs read them, and nothing that a spreadsheet would run.
  function plainValue(text) {
    const value = text.replace(/\s+/g, " ").trim();
    if (value === "\u2013") return "";
    const number = value.replace("\u2212", "-").replace(/,(?=\d{3})/g, "");
    if (/^[+-]?\d+(\.\d+)?( %)?$/.test(number)) return number.replace("+", "");
    if (/^\d+ \/ \d+$/.test(value)) return value.replace("/", "|"); // 4 / 4 would become a date
    const unsigned = value.replace(/^\+(?=\d)/, "");
    return /^[=+@-]/.test(unsigned) ? `'${unsigned}` : unsigned;
  }

  function cellValue(cell) {
    const note = cell.querySelector("small");
    return plainValue(mainText(cell) + (note ? `; ${note.textContent}` : ""));
  }

  function shownLines(box) {
    const heads = headsOf(box).filter(head => isShown(box, head)).map(head => plainValue(head.textContent));
    const rows = rowsOf(box).filter(row => !row.hidden);
    return [heads, ...rows.map(row => [...row.cells].filter(cell => isShown(box, cell)).map(cellValue))];
  }

  const asText = box => shownLines(box).map(line => line.join("\t") + "\n").join("");

  // "Abundance, baseline" becomes baseline_abundance.tsv.
  function fileName(box) {
    const label = box.querySelector(".scroll").getAttribute("aria-label").split(", ").reverse().join(" ");
    const name = label.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "_").replace(/^_+|_+$/g, "");
    return `${name.slice(0, 80) || "table"}.tsv`;
  }

  function download(box) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff", asText(box)], { type: "text/tab-separated-values;charset=utf-8" }));
    link.download = fileName(box);
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  function copyBySelection(text) {
    const area = document.createElement("textarea");
    area.value = text;
    area.setAttribute("aria-hidden", "true");
    area.style.cssText = "position: fixed; top: 0; opacity: 0";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }

  async function copy(box, button) {
    const text = asText(box);
    let done;
    try {
      await navigator.clipboard.writeText(text);
      done = true;
    } catch {
      done = copyBySelection(text);
      button.focus();
    }
    button.textContent = done ? "Copied" : "Not copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }

  function toggle(box, button, name, words) {
    const open = box.classList.toggle(name);
    button.setAttribute("aria-expanded", open);
    button.textContent = words[+open];
    showRows(box);
  }

  const actions = {
    more: (box, button) => toggle(box, button, "wide", ["More columns", "Fewer columns"]),
    all: (box, button) => toggle(box, button, "all", [`Show all ${rowsOf(box).length.toLocaleString("en")} rows`, `Show the first ${FIRST} rows`]),
    copy,
    download,
  };

  document.addEventListener("click", event => {
    const button = event.target.closest?.(".table button");
    if (!button) return;
    const head = button.closest("th");
    if (head) sortRows(head);
    else actions[button.dataset.action]?.(button.closest(".table"), button);
  });
  document.addEventListener("input", event => {
    const box = event.target.closest?.(".table");
    if (box) showRows(box);
  });
  // The number in full, for those who hover over a rounded one.
  document.addEventListener("pointerover", event => {
    const cell = event.target.closest?.("table.data td[data-sort]");
    if (cell && !cell.title && cell.dataset.sort && !cell.classList.contains("left")) cell.title = cell.dataset.sort;
  });
  document.querySelectorAll(".table").forEach(box => { if (box.querySelector("[data-action=all]")) showRows(box); });
}
