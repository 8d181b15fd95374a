// Buttons with `data-copy="id"` copy the text of an element; without a clipboard, they select it.
function selectText(element) {
  const range = document.createRange();
  range.selectNodeContents(element);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

function sayBriefly(button, words) {
  button.dataset.words ??= button.textContent;
  button.textContent = words;
  clearTimeout(button.waiting);
  button.waiting = setTimeout(() => { button.textContent = button.dataset.words; }, 2000);
}

document.querySelectorAll("[data-copy]").forEach(button => {
  const element = document.getElementById(button.dataset.copy);
  button.addEventListener("click", async () => {
    element.closest("details")?.setAttribute("open", "");  // hidden text has no line breaks
    try {
      await navigator.clipboard.writeText(element.innerText);
      sayBriefly(button, "Copied");
    } catch {
      selectText(element);
      sayBriefly(button, document.execCommand("copy") ? "Copied" : "Selected");
    }
  });
});
