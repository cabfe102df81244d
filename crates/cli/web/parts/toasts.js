// What came of something that was done, with the command that does the same.
import { html } from "../lib.js";
import { drop, store } from "../store.js";
import { line, seen } from "../words.js";

export const Toasts = () => html`<div class="toasts" role="status">${store.toasts.map((one) => html`<div key=${one.id} class="toast ${one.kind}">
  <p>${one.kind === "bad" ? "✗ " : "✓ "}${seen(one.text)}</p>${one.hint && html`<p class="faint">${line(one.hint)}</p>`}
  ${one.command && html`<code>${line(one.command)}</code>`}<button class="icon" onClick=${() => drop(one)} aria-label="Close this">×</button></div>`)}</div>`;
