// Names that the theme leaves out, for screen readers.
document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll(".search-button-field")) button.removeAttribute("aria-label");
  for (const summary of document.querySelectorAll("nav summary")) summary.setAttribute("aria-label", "Pages below");
});
