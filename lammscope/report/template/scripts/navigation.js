const contents = document.querySelector("nav .contents");
if (contents) {
  const narrow = matchMedia("(max-width: 62rem)"); // as in media.css
  const fold = () => { contents.open = !narrow.matches; };
  fold();
  narrow.addEventListener("change", fold);
  contents.addEventListener("click", event => { if (narrow.matches && event.target.matches("a")) contents.open = false; });
}
// The contents mark the section that is read: the last whose heading is in the upper third.
const headings = [...document.querySelectorAll("nav a")]
  .map(link => ({ link, heading: document.getElementById(link.hash.slice(1)) }))
  .filter(each => each.heading);
let marking = false;
function markSection() {
  marking = false;
  const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
  const passed = headings.filter(each => each.heading.getBoundingClientRect().top < innerHeight / 3);
  const here = atEnd && scrollY > 0 ? headings.at(-1) : passed.at(-1) ?? headings[0];
  for (const each of headings) each.link.classList.toggle("here", each === here);
}
function markSoon() {
  if (!marking) requestAnimationFrame(markSection);
  marking = true;
}
addEventListener("scroll", markSoon, { passive: true });
addEventListener("resize", markSoon);
if (headings.length) markSection();
