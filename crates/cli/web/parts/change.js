// A change of files, as git shows it, with colours.
import { get } from "../api.js";
import { html, useAsked, useState, Wrong } from "../base.js";
import { seen } from "../words.js";

/** How many lines are drawn before somebody asks for all. */
const LINES = 1500;

const kindOf = (line) => {
  if (line.startsWith("diff --git") || line.startsWith("new file: ")) return "file";
  if (line.startsWith("@@")) return "place";
  if (/^(index|---|\+\+\+|new file|deleted file|similarity|rename|old mode|new mode)/.test(line)) return "about";
  return { "+": "more", "-": "less" }[line[0]] ?? "";
};

export function Change({ task, version }) {
  const { value, error } = useAsked(() => get(`task/${encodeURIComponent(task)}/diff`), [task, version]);
  const [all, setAll] = useState(false);
  if (error) return html`<${Wrong} error=${error} />`;
  if (!value) return html`<p class="empty">Asking git…</p>`;
  if (!value.diff) return html`<p class="empty">No change of files so far.</p>`;
  const lines = value.diff.split("\n");
  const drawn = all ? lines : lines.slice(0, LINES);
  return html`<div class="change" tabindex="0" role="region" aria-label=${`the change of ${task}`}>
      ${drawn.map((line) => html`<div class=${kindOf(line)}>${seen(line) || " "}</div>`)}
    </div>
    ${drawn.length < lines.length ? html`<button onClick=${() => setAll(true)}>Show all ${lines.length} lines</button>` : null}`;
}
