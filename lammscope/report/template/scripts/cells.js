// The interactive map of the cells, drawn from the data of lammscope/report/cell_map.py.
{
  const RAMPS = {
    light: { Genes: ["#e4e6e9", "#a9b8d6", "#4d63a8", "#1d1147"], LAMM: ["#e4e6e9", "#f3b5bf", "#e2506f", "#d1003f"] },
    dark: { Genes: ["#2b3238", "#3f5590", "#8fa8e0", "#f2f5ff"], LAMM: ["#2b3238", "#6e2a3c", "#e2506f", "#ffb3c1"] },
  };
  const SHADES = 48; // colors of a ramp
  const NONE = 255, TOP = 254; // codes of values
  const REACH = 9; // pixels between the pointer and a cell
  const MOST_ZOOM = 40;
  const NAMED = ["type", "cluster"]; // groups whose names are written on the map

  const box = document.querySelector("#cell-map");
  if (box) startMap(box).catch(() => box.querySelector("output").textContent = TOO_OLD);

  async function startMap(box) {
    const data = JSON.parse(box.querySelector("script").textContent), n = data.n_shown;
    const canvas = box.querySelector("canvas"), choice = box.querySelector("select"), key = box.querySelector(".key"), out = box.querySelector("output");
    const tooltip = addTooltip(canvas.parentElement);
    const [xs, ys] = await Promise.all([unpackCodes(data.x, n), unpackCodes(data.y, n)]);
    const group = Object.fromEntries(data.groups.map(each => [each.key, each]));
    const ofSample = await unpackCodes(group.sample.codes, n), ofType = await unpackCodes(group.type.codes, n);
    const view = { zoom: 1, x: data.width / 2, y: data.height / 2 };
    const chosen = new Set();
    let now = null, sprites = null;

    canvas.style.aspectRatio = `1 / ${Math.min(1, Math.max(0.5, data.height / Math.max(data.width, 1)))}`;
    fillChoice();
    await choose();
    box.classList.add("drawn"); // then the picture of the same is for paper only
    choice.addEventListener("change", choose);
    redrawOnChange(canvas, () => { sprites = null; showKey(); draw(); });
    listenToPointers();
    canvas.addEventListener("keydown", useKey);
    box.querySelector("[name=closer]").addEventListener("click", () => zoomBy(1.6));
    box.querySelector("[name=farther]").addEventListener("click", () => zoomBy(1 / 1.6));
    box.querySelector("[name=reset]").addEventListener("click", reset);

    function fillChoice() {
      const families = { Groups: data.groups, LAMM: data.values.filter(value => value.family === "LAMM"), Genes: data.values.filter(value => value.family === "Genes") };
      for (const [name, entries] of Object.entries(families)) {
        if (!entries.length) continue;
        const family = document.createElement("optgroup");
        family.label = name;
        for (const entry of entries) family.append(new Option(entry.label, entry.key ?? "value " + data.values.indexOf(entry)));
        choice.append(family);
      }
    }

    async function choose() {
      const wanted = choice.value, isValue = wanted.startsWith("value ");
      const entry = isValue ? data.values[+wanted.slice(6)] : group[wanted];
      entry.decoded ??= entry.by_sample ? ofSample.map(sample => entry.by_sample[sample]) : await unpackCodes(entry.codes, n);
      if (choice.value !== wanted) return; // another choice was made meanwhile
      now = { entry, isValue, codes: entry.decoded, order: isValue ? byValue(entry.decoded) : null };
      chosen.clear();
      sprites = null;
      canvas.setAttribute("aria-label", `Map of ${n.toLocaleString("en")} cells, colored by ${entry.label}. The numbers of cells are listed below.`);
      tooltip.hidden = true;
      showKey();
      draw();
    }

    // Cells with high values are drawn last.
    function byValue(codes) {
      const rank = code => code === NONE ? -1 : code;
      return Uint32Array.from(codes.keys()).sort((a, b) => rank(codes[a]) - rank(codes[b]));
    }

    // --- colors ----------------------------------------------------------------------------------

    function ramp() {
      const stops = RAMPS[pageIsDark() ? "dark" : "light"][now.entry.family];
      return Array.from({ length: SHADES }, (_, i) => {
        const at = i / (SHADES - 1) * (stops.length - 1), left = Math.min(Math.floor(at), stops.length - 2);
        return mixColors(stops[left], stops[left + 1], at - left);
      });
    }

    function groupColors() {
      const dark = pageIsDark();
      return now.entry.colors.map(color => !color ? pageColor("--line") : dark && brightness(color) < 0.3 ? mixColors(color, "#ffffff", 0.4) : color);
    }

    // The position of a cell's color; the last one is for cells without a value.
    function colorOf(code) {
      if (!now.isValue) return code;
      if (code === NONE) return SHADES;
      const { low, high, top } = now.entry, value = low + code / TOP * (high - low);
      return Math.round(Math.min(1, (value - low) / (top - low || 1)) * (SHADES - 1));
    }

    function makeSprites(radius) {
      const colors = now.isValue ? [...ramp(), pageColor("--line")] : groupColors();
      return [...colors, pageColor("--line")].map(color => {
        const dot = document.createElement("canvas"), ratio = devicePixelRatio || 1;
        dot.width = dot.height = Math.ceil(2 * radius * ratio) + 2;
        const context = dot.getContext("2d");
        context.fillStyle = color;
        context.arc(dot.width / 2, dot.width / 2, radius * ratio, 0, 2 * Math.PI);
        context.fill();
        return dot;
      });
    }

    // --- drawing ---------------------------------------------------------------------------------

    function scale() {
      const fit = Math.min((canvas.clientWidth - 16) / Math.max(data.width, 1), (canvas.clientHeight - 16) / Math.max(data.height, 1));
      return Math.max(fit, 1e-6) * view.zoom;
    }

    function draw() {
      const { context, width, height } = fitCanvas(canvas), unit = scale();
      const radius = Math.min(6, Math.sqrt(width * height / Math.max(n, 400)) * 0.13 * view.zoom ** 0.4 + 0.5);
      if (!sprites || sprites.radius !== radius) sprites = { radius, dots: makeSprites(radius) };
      const dots = sprites.dots, size = dots[0].width / (devicePixelRatio || 1), pale = dots[dots.length - 1];
      const paint = (i, dot) => {
        const x = (xs[i] - view.x) * unit + width / 2, y = (ys[i] - view.y) * unit + height / 2;
        if (x > -size && y > -size && x < width + size && y < height + size) context.drawImage(dot, x - size / 2, y - size / 2, size, size);
      };
      const each = run => { for (let k = 0; k < n; k++) run(now.order ? now.order[k] : k); };
      if (chosen.size) each(i => chosen.has(now.codes[i]) || paint(i, pale));
      each(i => (!chosen.size || chosen.has(now.codes[i])) && paint(i, dots[colorOf(now.codes[i])]));
      if (NAMED.includes(now.entry.key)) writeNames(context, x => (x - view.x) * unit + width / 2, y => (y - view.y) * unit + height / 2);
    }

    // Names of types and clusters, each at the median of its cells.
    function writeNames(context, X, Y) {
      now.middles ??= now.entry.names.map((_, code) => {
        const own = [...xs.keys()].filter(i => now.codes[i] === code), median = values => Float64Array.from(values).sort()[values.length >> 1];
        return own.length < Math.max(10, 0.002 * n) ? null : [median(own.map(i => xs[i])), median(own.map(i => ys[i]))];
      });
      context.font = "600 12px sans-serif";
      context.textAlign = "center";
      context.lineWidth = 3;
      context.lineJoin = "round";
      context.strokeStyle = pageColor("--paper", "#ffffff");
      context.fillStyle = pageColor("--ink");
      now.middles.forEach((middle, code) => {
        if (!middle || chosen.size && !chosen.has(code) || now.entry.names[code] === "unassigned") return;
        const name = now.entry.names[code], half = context.measureText(name).width / 2 + 2, x = X(middle[0]), y = Y(middle[1]) + 4;
        if (x < 0 || x > canvas.clientWidth) return;
        const inside = Math.max(half, Math.min(canvas.clientWidth - half, x));
        context.strokeText(name, inside, y);
        context.fillText(name, inside, y);
      });
    }

    // --- the key of the colors ------------------------------------------------------------------

    function showKey() {
      key.replaceChildren(now.isValue ? valueKey() : groupKey());
    }

    function groupKey() {
      const list = document.createElement("ul"), colors = groupColors();
      now.entry.names.forEach((name, i) => {
        const item = document.createElement("li"), button = document.createElement("button"), dot = document.createElement("i"), count = document.createElement("span");
        button.type = "button";
        button.setAttribute("aria-pressed", chosen.has(i));
        dot.style.background = colors[i];
        count.textContent = now.entry.counts[i].toLocaleString("en");
        button.append(dot, name + " ", count);
        button.addEventListener("click", () => {
          if (!chosen.delete(i)) chosen.add(i);
          button.setAttribute("aria-pressed", chosen.has(i));
          draw();
        });
        item.append(button);
        list.append(item);
      });
      return list;
    }

    function valueKey() {
      const { entry } = now, part = document.createElement("p"), bar = document.createElement("i");
      bar.className = "bar";
      bar.style.background = `linear-gradient(90deg, ${ramp().join(", ")})`;
      const words = entry.family === "Genes"
        ? `log(1 + UMIs per 10,000). Detected in ${entry.detected} % of all cells.`
        : `Of ${entry.n_known.toLocaleString("en")} monocytic cells; the others have none.`;
      const top = entry.top < entry.high ? `${entry.top.toFixed(1)} and above` : String(entry.top);
      part.append(`${entry.low} `, bar, ` ${top}. `, words);
      return part;
    }

    // --- pointing and moving ----------------------------------------------------------------------

    function cellAt(x, y, reach = REACH) {
      const unit = scale(), width = canvas.clientWidth, height = canvas.clientHeight;
      let best = -1, least = reach * reach;
      for (let i = 0; i < n; i++) {
        const dx = (xs[i] - view.x) * unit + width / 2 - x, dy = (ys[i] - view.y) * unit + height / 2 - y, far = dx * dx + dy * dy;
        if (far <= least) [best, least] = [i, far];
      }
      return best;
    }

    function nameCell(i) {
      const sample = ofSample[i], words = [group.type.names[ofType[i]], group.sample.names[sample], "patient " + group.patient.names[group.patient.by_sample[sample]]];
      if (now.isValue) words.push(`${now.entry.label} ${valueWords(now.codes[i])}`);
      else if (!["type", "sample", "patient"].includes(now.entry.key)) words.push(`${now.entry.label}: ${now.entry.names[now.codes[i]]}`);
      return words.join(", ");
    }

    function valueWords(code) {
      const { low, high } = now.entry;
      return code === NONE ? "none" : (low + code / TOP * (high - low)).toFixed(2);
    }

    function point(x, y, reach) {
      const i = cellAt(x, y, reach);
      if (i < 0) { tooltip.hidden = true; return; }
      out.textContent = nameCell(i);
      showTooltip(tooltip, out.textContent, x, y);
    }

    function moved() {
      const half = [data.width, data.height].map(side => side / 2);
      view.zoom = Math.min(MOST_ZOOM, Math.max(1, view.zoom));
      view.x = Math.min(half[0] * 2, Math.max(0, view.zoom === 1 ? half[0] : view.x));
      view.y = Math.min(half[1] * 2, Math.max(0, view.zoom === 1 ? half[1] : view.y));
      canvas.style.touchAction = view.zoom > 1 ? "none" : "pan-y"; // one finger scrolls the page, or moves the map
      tooltip.hidden = true;
      draw();
    }

    // Zooms so that what is at (x, y) stays there.
    function zoomBy(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
      const before = scale(), dx = x - canvas.clientWidth / 2, dy = y - canvas.clientHeight / 2;
      view.zoom = Math.min(MOST_ZOOM, Math.max(1, view.zoom * factor));
      const after = scale();
      view.x += dx / before - dx / after;
      view.y += dy / before - dy / after;
      moved();
    }

    function pan(dx, dy) {
      view.x -= dx / scale();
      view.y -= dy / scale();
      moved();
    }

    function reset() {
      view.zoom = 1;
      moved();
    }

    function useKey(event) {
      const steps = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] }[event.key];
      if (steps && view.zoom > 1) pan(...steps);
      else if (event.key === "+" || event.key === "=") zoomBy(1.6);
      else if (event.key === "-") zoomBy(1 / 1.6);
      else if (event.key === "0" || event.key === "Escape") reset();
      else return;
      event.preventDefault();
    }

    function listenToPointers() {
      const down = new Map();
      const place = event => [event.offsetX, event.offsetY];
      const spread = () => { const [a, b] = [...down.values()]; return [Math.hypot(a[0] - b[0], a[1] - b[1]), (a[0] + b[0]) / 2, (a[1] + b[1]) / 2]; };
      canvas.addEventListener("pointerdown", event => {
        down.set(event.pointerId, place(event));
        if (event.pointerType === "touch") point(...place(event), 2 * REACH);
      });
      canvas.addEventListener("pointermove", event => {
        const last = down.get(event.pointerId);
        if (!last) return event.pointerType !== "touch" && point(...place(event));
        if (down.size === 2) {
          const [before] = spread();
          down.set(event.pointerId, place(event));
          const [after, x, y] = spread();
          return before > 0 && zoomBy(after / before, x, y);
        }
        down.set(event.pointerId, place(event));
        if (view.zoom > 1) pan(event.offsetX - last[0], event.offsetY - last[1]);
      });
      for (const end of ["pointerup", "pointercancel", "pointerleave"]) canvas.addEventListener(end, event => {
        down.delete(event.pointerId);
        if (end === "pointerleave" && event.pointerType !== "touch") tooltip.hidden = true;
      });
      // The wheel scrolls the page until the map is clicked, so that no reader is caught in it.
      canvas.addEventListener("wheel", event => {
        const isOut = event.deltaY > 0 && view.zoom === 1;
        if (isOut || !(event.ctrlKey || document.activeElement === canvas)) return;
        event.preventDefault();
        zoomBy(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), ...place(event));
      }, { passive: false });
    }
  }
}
