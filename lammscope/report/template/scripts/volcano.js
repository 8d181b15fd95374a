// Interactive volcano plots: every gene of every population, from lammscope/report/explorer.py.
{
  const FOLD = 1000, LOG = 200; // steps per unit
  const NO_FOLD = -32768, NO_LOG = 65535;
  const REACH = 10; // pixels between the pointer and a gene
  const MOST_NAMES = 12;
  const LEFT = 46, RIGHT = 10, TOP = 10, BOTTOM = 44; // margins of the plot
  const MINUS = "\u2212";
  let symbols; // of all contrasts; unpacked once

  for (const box of document.querySelectorAll(".explorer")) {
    let started = false;
    const start = () => {
      if (started || !box.open) return;
      started = true;
      startExplorer(box).catch(() => box.querySelector("output").textContent = TOO_OLD);
    };
    box.addEventListener("toggle", start);
    start();
  }

  async function startExplorer(box) {
    const data = await readGenes(box), maxFdr = -Math.log10(+box.dataset.maxFdr) * LOG;
    const canvas = box.querySelector("canvas"), choice = box.querySelector("select"), find = box.querySelector("input"), out = box.querySelector("output"), table = box.querySelector(".gene");
    const tooltip = addTooltip(canvas.parentElement);
    let found = { exact: -1, begins: [] }, spots = null;
    data.populations.forEach((population, i) => choice.add(new Option(`${population.name} (${population.n_tested.toLocaleString("en")} genes)`, i)));
    choice.addEventListener("change", () => { search(); draw(); });
    find.addEventListener("input", () => { search(); draw(); });
    canvas.addEventListener("pointermove", point);
    canvas.addEventListener("pointerdown", point);
    canvas.addEventListener("pointerleave", () => tooltip.hidden = true);
    redrawOnChange(canvas, draw);
    search();
    draw();

    function population() {
      return data.populations[+choice.value];
    }

    // --- search -----------------------------------------------------------------------------------

    function search() {
      const wanted = find.value.trim().toUpperCase();
      const begins = wanted ? symbols.flatMap((symbol, i) => symbol.toUpperCase().startsWith(wanted) ? [i] : []) : [];
      const exact = begins.find(i => symbols[i].toUpperCase() === wanted) ?? -1;
      found = { exact, begins: exact >= 0 ? [exact] : begins };
      table.replaceChildren();
      if (!wanted) out.textContent = "Point at a gene, or search for one.";
      else if (exact >= 0) { out.textContent = geneLine(exact); table.append(geneTable(exact), ...untestedLines()); }
      else if (begins.length) out.textContent = `No tested gene is named ${find.value.trim()}. ${begins.length} begin${begins.length === 1 ? "s" : ""} with it: ${begins.slice(0, MOST_NAMES).map(i => symbols[i]).join(", ")}${begins.length > MOST_NAMES ? ", …" : ""}`;
      else out.textContent = `${find.value.trim()} was not tested in this contrast: it was not measured under this name, or its counts are too low in every population.`;
    }

    function rowOf(gene, { start, rows }) {
      const row = data.gene.indexOf(gene, start);
      return row >= 0 && row < start + rows ? row : -1;
    }

    function geneLine(gene) {
      const row = rowOf(gene, population()), { name } = population();
      return row < 0 ? `${symbols[gene]} was not tested in ${name}: not measured, or its counts are too low there.` : `${name}: ${rowLine(row)}`;
    }

    function rowLine(row) {
      const parts = rowParts(row);
      if (data.p[row] === NO_LOG) return `${parts.symbol} was not tested: ${parts.verdict}`;
      return `${parts.symbol}: log\u2082 fold change ${parts.fold} (95 % CI ${parts.interval}), p ${parts.p}, ${data.ambient[row] ? "may be ambient RNA" : `FDR ${parts.fdr}`}${parts.verdict ? `; ${parts.verdict}` : ""}`;
    }

    function rowParts(row) {
      const tested = data.p[row] !== NO_LOG;
      return {
        symbol: symbols[data.gene[row]],
        fold: foldWords(data.fold[row]),
        interval: data.low[row] === NO_FOLD ? "\u2013" : `${foldWords(data.low[row])} to ${foldWords(data.high[row])}`,
        p: pWords(data.p[row]),
        fdr: data.ambient[row] ? "may be ambient RNA" : pWords(data.fdr[row]),
        verdict: tested ? data.verdicts[data.verdict[row]] : data.statuses[data.status[row]],
      };
    }

    function geneTable(gene) {
      const whole = document.createElement("table"), head = whole.createTHead().insertRow(), body = whole.createTBody();
      whole.createCaption().textContent = `${symbols[gene]} in all populations`;
      for (const name of ["Population", "log\u2082 fold change", "95 % CI", "p", "FDR", "Verdict"]) {
        const cell = document.createElement("th");
        cell.scope = "col";
        cell.textContent = name;
        head.append(cell);
      }
      for (const each of data.populations) {
        const row = rowOf(gene, each), line = body.insertRow();
        if (row < 0) fillRow(line, [each.name, "not measured, or its counts are too low here"]);
        else { const parts = rowParts(row); fillRow(line, [each.name, parts.fold, parts.interval, parts.p, parts.fdr, parts.verdict || "\u2013"]); }
      }
      return whole;
    }

    function untestedLines() {
      return [...untestedByReason()].map(([reason, names]) => {
        const line = document.createElement("p");
        line.textContent = `No gene was tested in ${names.join(", ")}: ${reason}.`;
        return line;
      });
    }

    function untestedByReason() {
      const names = new Map();
      for (const { name, reason } of data.untested) names.set(reason, [...(names.get(reason) ?? []), name]);
      return names;
    }

    function fillRow(line, words) {
      for (const word of words) line.insertCell().textContent = word;
      if (words.length === 2) line.cells[1].colSpan = 5;
    }

    // --- drawing ----------------------------------------------------------------------------------

    function limits({ start, rows }) {
      let wide = 1, high = 1.5;
      for (let row = start; row < start + rows; row++) {
        if (data.p[row] === NO_LOG) continue;
        wide = Math.max(wide, Math.abs(data.fold[row]) / FOLD);
        high = Math.max(high, data.p[row] / LOG);
      }
      return { wide: wide * 1.08, high: high * 1.08 };
    }

    function draw() {
      const { context, width, height } = fitCanvas(canvas), { start, rows } = population(), { wide, high } = limits(population());
      const X = fold => LEFT + (fold / wide + 1) / 2 * (width - LEFT - RIGHT), Y = log => height - BOTTOM - log / high * (height - TOP - BOTTOM);
      const ink = { text: pageColor("--ink"), soft: pageColor("--soft"), line: pageColor("--line"), other: pageColor("--edge"), up: pageColor("--accent"), down: pageColor("--link", "#3d6f8e") };
      drawAxes(context, { X, Y, wide, high, width, height, ink });
      spots = { X, Y };
      const hits = [], passing = [];
      for (let row = start; row < start + rows; row++) {
        if (data.p[row] === NO_LOG) continue;
        if (found.begins.length && found.begins.includes(data.gene[row])) hits.push(row);
        else if (passes(row)) passing.push(row);
        else dot(context, X(data.fold[row] / FOLD), Y(data.p[row] / LOG), 1.8, { color: ink.other, hollow: data.ambient[row], alpha: 0.55 });
      }
      for (const row of passing) dot(context, X(data.fold[row] / FOLD), Y(data.p[row] / LOG), 3.2, { color: data.fold[row] > 0 ? ink.up : ink.down });
      for (const row of hits) drawHit(context, row, X(data.fold[row] / FOLD), Y(data.p[row] / LOG), { ink, width, named: hits.length <= MOST_NAMES });
    }

    function passes(row) {
      return !data.ambient[row] && data.fdr[row] !== NO_LOG && data.fdr[row] >= maxFdr;
    }

    function dot(context, x, y, radius, { color, hollow = false, alpha = 1 }) {
      context.globalAlpha = alpha;
      context.fillStyle = context.strokeStyle = color;
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      if (hollow) context.stroke(); else context.fill();
      context.globalAlpha = 1;
    }

    function drawHit(context, row, x, y, { ink, width, named }) {
      dot(context, x, y, 6, { color: "#e8b020" });
      dot(context, x, y, 6, { color: ink.text, hollow: true });
      if (!named) return;
      const isRight = x > width * 0.8;
      context.fillStyle = ink.text;
      context.font = "italic 13px sans-serif";
      context.textAlign = isRight ? "right" : "left";
      context.fillText(symbols[data.gene[row]], x + (isRight ? -10 : 10), y + 4);
    }

    function drawAxes(context, { X, Y, wide, high, width, height, ink }) {
      context.font = "12px sans-serif";
      context.fillStyle = ink.soft;
      context.strokeStyle = ink.line;
      context.textAlign = "center";
      for (let x = -Math.floor(wide); x <= wide; x += Math.max(1, Math.round(wide / 4))) context.fillText(x < 0 ? MINUS + -x : x, X(x), height - BOTTOM + 16);
      const sides = width < 500 ? "" : ` (right: ${box.dataset.higher})`;
      context.fillText(`log\u2082 fold change${box.dataset.per}${sides}`, (LEFT + width - RIGHT) / 2, height - 8);
      context.textAlign = "right";
      for (let y = 0; y <= high; y += Math.max(1, Math.round(high / 5))) context.fillText(y, LEFT - 6, Y(y) + 4);
      context.save();
      context.translate(13, (height - BOTTOM) / 2);
      context.rotate(-Math.PI / 2);
      context.textAlign = "center";
      context.fillText(MINUS + "log\u2081\u2080 p", 0, 0);
      context.restore();
      context.beginPath();
      context.moveTo(LEFT, TOP);
      context.lineTo(LEFT, height - BOTTOM);
      context.lineTo(width - RIGHT, height - BOTTOM);
      context.moveTo(X(0), TOP);
      context.lineTo(X(0), height - BOTTOM);
      context.stroke();
    }

    function point(event) {
      const { start, rows } = population();
      let best = -1, least = REACH;
      for (let row = start; row < start + rows; row++) {
        if (data.p[row] === NO_LOG) continue;
        const far = Math.hypot(spots.X(data.fold[row] / FOLD) - event.offsetX, spots.Y(data.p[row] / LOG) - event.offsetY);
        if (far < least) [best, least] = [row, far];
      }
      if (best < 0) { tooltip.hidden = true; return; }
      out.textContent = `${population().name}: ${rowLine(best)}`;
      showTooltip(tooltip, symbols[data.gene[best]], event.offsetX, event.offsetY);
    }
  }

  async function readGenes(box) {
    const data = JSON.parse(box.querySelector("script").textContent);
    symbols ??= await unpackWords(JSON.parse(document.querySelector("#gene-symbols").textContent));
    let n = 0;
    for (const population of data.populations) { population.start = n; n += population.rows; }
    const numbers = { fold: Int16Array, low: Int16Array, high: Int16Array, p: Uint16Array, fdr: Uint16Array };
    for (const name in numbers) data[name] = new numbers[name](await unpackBytes(data[name]));
    for (const name of ["gene", "verdict", "status", "ambient"]) data[name] = await unpackCodes(data[name], n);
    return data;
  }

  function foldWords(steps) {
    if (steps === NO_FOLD) return "\u2013";
    return (steps < 0 ? MINUS : "+") + (Math.abs(steps) / FOLD).toFixed(2);
  }

  function pWords(steps) {
    if (steps === NO_LOG) return "\u2013";
    const p = 10 ** (-steps / LOG);
    return p >= 0.001 ? p.toFixed(3) : p.toExponential(1).replace("e-", "e" + MINUS);
  }
}
