// Arrays packed by lammscope/report/packing.py, and what all drawings on a canvas need.
const TOO_OLD = "This browser is too old for interactive figures. The pictures and tables of this page show the same results.";

async function unpackBytes(text) {
  const packed = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

async function unpackCodes(text, n) {
  const bytes = await unpackBytes(text);
  const Type = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array }[bytes.byteLength / n] ?? Uint8Array;
  return new Type(bytes);
}

async function unpackWords(text) {
  return new TextDecoder().decode(await unpackBytes(text)).split("\n");
}

function pageColor(name, otherwise = "#7d8890") {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || otherwise;
}

function brightness(hex) {
  const [red, green, blue] = [1, 3, 5].map(start => parseInt(hex.slice(start, start + 2), 16) / 255);
  return 0.3 * red + 0.6 * green + 0.1 * blue;
}

function pageIsDark() {
  const paper = pageColor("--paper", "#ffffff");
  return brightness(paper.length === 4 ? paper.replace(/\w/g, "$&$&") : paper) < 0.5;
}

function mixColors(from, to, share) {
  const part = (hex, start) => parseInt(hex.slice(start, start + 2), 16);
  return "#" + [1, 3, 5].map(start => Math.round(part(from, start) * (1 - share) + part(to, start) * share).toString(16).padStart(2, "0")).join("");
}

// Makes the canvas as sharp as the screen; the context then draws in CSS pixels.
function fitCanvas(canvas) {
  const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

function redrawOnChange(canvas, draw) {
  new ResizeObserver(draw).observe(canvas);
  document.addEventListener("themechange", draw);
}

// x and y are from the corner of the tooltip's positioned parent, whose width it stays within.
function showTooltip(tooltip, text, x, y) {
  tooltip.textContent = text;
  tooltip.hidden = false;
  const room = tooltip.offsetParent?.clientWidth ?? innerWidth;
  tooltip.style.left = Math.max(0, Math.min(x + 12, room - tooltip.offsetWidth - 2)) + "px";
  tooltip.style.top = Math.max(0, y - tooltip.offsetHeight - 10) + "px";
}

function addTooltip(parent) {
  const tooltip = document.createElement("div");
  tooltip.className = "tooltip";
  tooltip.setAttribute("role", "tooltip");
  tooltip.hidden = true;
  parent.append(tooltip);
  return tooltip;
}
