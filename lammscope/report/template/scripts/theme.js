{ // In the head, so that no page flashes white before it is dark.
  const MODES = ["auto", "light", "dark"], KEY = "lammscope-colors";
  const root = document.documentElement, systemIsDark = matchMedia("(prefers-color-scheme: dark)");
  let mode = storedMode();

  function storedMode() {
    try {
      const stored = localStorage.getItem(KEY);
      return MODES.includes(stored) ? stored : "auto";
    } catch {
      return "auto"; // some browsers keep nothing for files
    }
  }

  function storeMode() {
    try {
      localStorage.setItem(KEY, mode);
    } catch {
      // The choice holds until the page is closed.
    }
  }

  function applyMode() {
    root.dataset.theme = mode === "auto" ? (systemIsDark.matches ? "dark" : "light") : mode;
    const button = document.querySelector("#colors");
    if (button) button.textContent = `Colors: ${mode}`;
    document.dispatchEvent(new Event("themechange")); // for what scripts draw
  }

  applyMode();
  systemIsDark.addEventListener("change", applyMode);
  document.addEventListener("DOMContentLoaded", () => {
    applyMode();
    document.querySelector("#colors")?.addEventListener("click", () => {
      mode = MODES[(MODES.indexOf(mode) + 1) % MODES.length];
      storeMode();
      applyMode();
    });
  });
}
