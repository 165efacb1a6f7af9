// Light or dark, before anything is drawn: what the user chose on this device, else what the system prefers.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => localStorage.getItem("theme");
  const show = () => {
    document.documentElement.dataset.bsTheme = chosen() || (system.matches ? "dark" : "light");
  };
  show();
  system.addEventListener("change", show);
  addEventListener("click", (event) => {
    if (!event.target.closest?.("[data-theme-button]")) return;
    const next = document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark";
    // Choosing what the system prefers means following it again.
    if ((next === "dark") === system.matches) localStorage.removeItem("theme");
    else localStorage.setItem("theme", next);
    show();
  });
})();
