for (const box of document.querySelectorAll(".explorer")) {
  const data = JSON.parse(box.querySelector("script").textContent), maxFdr = +box.dataset.maxFdr;
  const svg = box.querySelector("svg"), choice = box.querySelector("select"), find = box.querySelector("input"), out = box.querySelector("output");
  const make = (name, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    svg.append(node);
    return node;
  };
  for (const name of Object.keys(data)) choice.add(new Option(name));
  const draw = () => {
    svg.replaceChildren();
    const d = data[choice.value], wide = Math.max(1, ...d.x.map(Math.abs)) * 1.08, high = Math.max(1.5, ...d.y) * 1.08;
    const X = x => 60 + (x / wide + 1) * 325, Y = y => 420 - y / high * 400, wanted = find.value.trim().toUpperCase();
    for (let x = -Math.floor(wide); x <= wide; x += Math.max(1, Math.round(wide / 4))) make("text", { x: X(x), y: 438, "text-anchor": "middle", "font-size": 12, fill: "#56616a" }, x < 0 ? "\u2212" + -x : x);
    for (let y = 0; y <= high; y += Math.max(1, Math.round(high / 5))) make("text", { x: 50, y: Y(y) + 4, "text-anchor": "end", "font-size": 12, fill: "#56616a" }, y);
    make("path", { d: "M60 20V420H710M" + X(0) + " 20V420", fill: "none", stroke: "#c3c9ce" });
    make("text", { x: 385, y: 457, "text-anchor": "middle", "font-size": 12 }, "log\u2082 fold change" + box.dataset.per + " (right: " + box.dataset.higher + ")");
    make("text", { x: 14, y: 220, "text-anchor": "middle", "font-size": 12, transform: "rotate(-90 14 220)" }, "\u2212log\u2081\u2080 p");
    for (let i = d.x.length - 1; i >= 0; i--) {
      const passes = d.fdr[i] <= maxFdr, hit = wanted && d.symbol[i].toUpperCase().startsWith(wanted);
      make("circle", { cx: X(d.x[i]), cy: Y(d.y[i]), r: hit ? 6 : passes ? 3.4 : 2.2, "data-i": i, fill: hit ? "#e8b020" : d.ambient[i] ? "none" : !passes ? "#c3c9ce" : d.x[i] > 0 ? "#b00035" : "#3d6f8e", stroke: hit ? "#1f262b" : d.ambient[i] ? "#9aa3a9" : "none", "pointer-events": "all" });
      if (hit) make("text", { x: X(d.x[i]) + 8, y: Y(d.y[i]) + 4, "font-size": 12, "font-style": "italic" }, d.symbol[i]);
    }
  };
  svg.addEventListener("pointerover", event => {
    const i = event.target.dataset.i;
    if (i === undefined) return;
    const d = data[choice.value];
    out.textContent = d.symbol[i] + ": log\u2082 fold change " + d.x[i] + ", p = " + (10 ** -d.y[i]).toPrecision(2) + (d.ambient[i] ? ", may be ambient RNA" : ", FDR = " + d.fdr[i]);
  });
  choice.addEventListener("change", draw);
  find.addEventListener("input", draw);
  box.addEventListener("toggle", () => { if (box.open) draw(); });
  if (box.open) draw();
}
