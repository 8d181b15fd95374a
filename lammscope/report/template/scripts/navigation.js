const contents = document.querySelector("nav .contents");
if (contents) {
  const narrow = matchMedia("(max-width: 62rem)"); // as in media.css
  const fold = () => { contents.open = !narrow.matches; };
  fold();
  narrow.addEventListener("change", fold);
  contents.addEventListener("click", event => { if (narrow.matches && event.target.matches("a")) contents.open = false; });
}
if ("IntersectionObserver" in window) {
  const links = new Map([...document.querySelectorAll("nav a")].map(link => [link.hash.slice(1), link]));
  const watch = new IntersectionObserver(seen => seen.forEach(entry => {
    if (!entry.isIntersecting) return;
    links.forEach(link => link.classList.remove("here"));
    links.get(entry.target.id)?.classList.add("here");
  }), { rootMargin: "0px 0px -70% 0px" });
  document.querySelectorAll("main [id]").forEach(part => links.has(part.id) && watch.observe(part));
}
