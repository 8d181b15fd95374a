for (const image of document.querySelectorAll("figure img")) {
  const turn = () => image.classList.toggle("zoomed");
  image.addEventListener("click", turn);
  image.addEventListener("keydown", event => { if (event.key === "Enter" || (event.key === "Escape" && image.classList.contains("zoomed"))) turn(); });
}
