// Dark or light: as the system says, unless somebody chose.
import { changed } from "./store.js";

const ORDER = ["auto", "dark", "light"];

export function theme() {
  try {
    const chosen = localStorage.getItem("agent-team-theme");
    return ORDER.includes(chosen) ? chosen : "auto";
  } catch { return "auto"; }
}

export function wear() {
  const chosen = theme();
  if (chosen === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}

export function nextTheme() {
  const next = ORDER[(ORDER.indexOf(theme()) + 1) % ORDER.length];
  try { localStorage.setItem("agent-team-theme", next); } catch { /* it is chosen for this page alone */ }
  wear();
  changed();
}
