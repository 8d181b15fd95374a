// Figures: points that name themselves, and a larger view.
{
  const REACH = 12; // pixels between the pointer and a point
  const UNIT = 10000; // of the positions
  const SAME = 4; // pixels within which points count as one
  const MOST = 5; // names in one tooltip

  for (const frame of document.querySelectorAll("figure .frame")) {
    const image = frame.querySelector("img"), points = JSON.parse(frame.dataset.points || "[]");
    const names = points.length ? namePoints(frame, image, points) : null;
    frame.addEventListener("click", event => {
      // A tap on a point names it; a second tap, or one elsewhere, enlarges the figure.
      if (names && event.pointerType === "touch" && names.tap(event)) return;
      names?.hide();
      enlarge(image, points);
    });
  }

  function namePoints(frame, image, points) {
    const tooltip = addTooltip(frame.parentElement);
    let shown = -1;
    frame.addEventListener("pointermove", event => event.pointerType !== "touch" && show(nearest(event)));
    frame.addEventListener("pointerleave", event => event.pointerType !== "touch" && hide());
    frame.addEventListener("blur", hide);
    frame.addEventListener("keydown", event => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") hide();
      if (!step) return;
      event.preventDefault();
      show((shown + step + points.length) % points.length);
    });

    // The picture without its padding, on the screen.
    function area() {
      const box = image.getBoundingClientRect(), style = getComputedStyle(image);
      const [left, top, right, bottom] = ["Left", "Top", "Right", "Bottom"].map(side => parseFloat(style["padding" + side]) || 0);
      return { left: box.left + left, top: box.top + top, width: box.width - left - right, height: box.height - top - bottom };
    }

    function place(i, box) {
      return [box.left + points[i][0] / UNIT * box.width, box.top + points[i][1] / UNIT * box.height];
    }

    function nearest(event) {
      const box = area();
      let best = -1, least = REACH;
      points.forEach((_, i) => {
        const [x, y] = place(i, box), far = Math.hypot(x - event.clientX, y - event.clientY);
        if (far <= least) [best, least] = [i, far];
      });
      return best;
    }

    function show(i) {
      if (i < 0) return hide();
      const box = area(), [x, y] = place(i, box), parent = tooltip.parentElement.getBoundingClientRect();
      const near = points.filter((_, k) => Math.hypot(place(k, box)[0] - x, place(k, box)[1] - y) < SAME).map(point => point[2]);
      const others = near.length > MOST ? `\nand ${near.length - MOST} more` : "";
      shown = i;
      showTooltip(tooltip, near.slice(0, MOST).join("\n") + others, x - parent.left, y - parent.top);
    }

    function hide() {
      shown = -1;
      tooltip.hidden = true;
    }

    function tap(event) {
      const i = nearest(event), isNew = i >= 0 && i !== shown;
      if (isNew) show(i);
      return isNew;
    }
    return { hide, tap };
  }

  // In a dialog the browser closes by Escape and keeps the focus within.
  function enlarge(image, points) {
    const dialog = document.createElement("dialog"), figure = document.createElement("figure");
    const close = document.createElement("button"), frame = document.createElement("div");
    const copy = image.cloneNode();
    dialog.className = "enlarged";
    dialog.setAttribute("aria-label", "Enlarged figure");
    close.type = "button";
    close.textContent = "Close";
    frame.className = "frame";
    frame.tabIndex = 0;
    frame.setAttribute("role", "group");
    frame.setAttribute("aria-label", points.length ? "Figure; arrow keys name its points" : "Figure");
    copy.removeAttribute("height");
    copy.width = Math.max(image.naturalWidth, image.width);
    frame.append(copy);
    figure.append(frame);
    dialog.append(close, figure);
    document.body.append(dialog);
    const names = points.length ? namePoints(frame, copy, points) : null;
    frame.addEventListener("click", event => names && event.pointerType === "touch" && names.tap(event));
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", event => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    dialog.showModal();
  }
}
