// Parts of the page that come when they are first shown: what is seen first waits for none of the others.
import { html } from "./lib.js";
import { changed } from "./store.js";
import { line } from "./words.js";

const NAMES = { agents: "Agents", board: "Board", graph: "Graph", timeline: "Timeline", cost: "Cost", messages: "Messages",
  merges: "Merges", log: "Log", search: "Search", panel: "Panel" };

const parts = new Map();
let tries = 0;

/** Fetches a part, once. */
export function load(name) {
  if (parts.has(name)) return;
  const part = {};
  parts.set(name, part);
  // Browsers keep that a file did not come: under another address it is asked for anew.
  import(`./parts/${name}.js${tries ? `?${tries}` : ""}`)
    .then((file) => { part.shown = file[NAMES[name]]; }, (error) => { part.error = error; })
    .then(changed);
}

/** Fetches all of them, once there is nothing more urgent. */
export function loadAll() {
  Object.keys(NAMES).forEach(load);
}

/** A part, or that it is on its way. */
export function Later({ part: name }) {
  load(name);
  const part = parts.get(name);
  if (part.shown) return html`<${part.shown} />`;
  if (!part.error) return null;
  const again = () => { tries += 1; parts.delete(name); changed(); };
  return html`<p class="empty bad" role="alert">This part of the page did not come: ${line(part.error.message)} <button class="do" onClick=${again}>Try again</button></p>`;
}
