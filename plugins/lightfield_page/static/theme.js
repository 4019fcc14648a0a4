/**
 * The page follows Airflow's theme: the class "dark" or "light" of the parent's document when it is shown in Airflow's
 * frame, else what Airflow's UI stored in this browser, else what the system prefers.
 */

const STORAGE_KEY = "theme";
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

/** @returns {HTMLElement | null} the root element of the page around this one, where it may be read */
function parentRoot() {
  if (window.parent === window) return null;
  try {
    return window.parent.document.documentElement;
  } catch {
    return null;
  }
}

/** @returns {"dark" | "light"} */
function wanted() {
  const root = parentRoot();
  if (root?.classList.contains("dark")) return "dark";
  if (root?.classList.contains("light")) return "light";
  let stored = null;
  try {
    stored = localStorage.getItem(STORAGE_KEY);
  } catch {
    // Storage may be forbidden; the system's theme is as good.
  }
  if (stored === "dark" || stored === "light") return stored;
  return systemIsDark.matches ? "dark" : "light";
}

/**
 * Set the theme now and at each change of it.
 * @param {() => void} [changed] called after each change, for what is drawn with the theme's colours
 */
export function followTheme(changed = () => {}) {
  const apply = () => {
    const theme = wanted();
    if (document.documentElement.dataset.theme === theme) return;
    document.documentElement.dataset.theme = theme;
    changed();
  };
  apply();
  systemIsDark.addEventListener("change", apply);
  addEventListener("storage", apply);
  const root = parentRoot();
  if (root) new MutationObserver(apply).observe(root, { attributes: true, attributeFilter: ["class"] });
}
