// A change as git shows it, in colour, each file folded by itself.
import { html, useMemo, useState } from "../lib.js";
import { store, useAsked } from "../store.js";
import { line, plural, seen } from "../words.js";
import { Awaited, Empty } from "./common.js";

/** More lines of one file than these are shown when asked for. */
const MOST = 1500;

/** The files of a patch: name, lines with their numbers, and how many were added and taken away. */
export function files(patch) {
  const found = [];
  let file = null;
  let [old, now] = [0, 0];
  let [oldLeft, nowLeft] = [0, 0];
  for (const text of patch.split("\n")) {
    const inHunk = oldLeft > 0 || nowLeft > 0;
    if (!inHunk && text.startsWith("diff --git ")) {
      file = { name: text.replace(/^diff --git a\/.* b\//, ""), lines: [], added: 0, removed: 0 };
      found.push(file);
      continue;
    }
    if (!file) continue;
    const hunk = !inHunk && /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(text);
    if (hunk) {
      [old, oldLeft, now, nowLeft] = [Number(hunk[1]), Number(hunk[2] ?? 1), Number(hunk[3]), Number(hunk[4] ?? 1)];
      file.lines.push(["hunk", "", "", text]);
    } else if (inHunk && text.startsWith("+")) {
      file.lines.push(["added", "", now, text]);
      [now, nowLeft, file.added] = [now + 1, nowLeft - 1, file.added + 1];
    } else if (inHunk && text.startsWith("-")) {
      file.lines.push(["removed", old, "", text]);
      [old, oldLeft, file.removed] = [old + 1, oldLeft - 1, file.removed + 1];
    } else if (inHunk && !text.startsWith("\\")) {
      file.lines.push(["", old, now, text]);
      [old, now, oldLeft, nowLeft] = [old + 1, now + 1, oldLeft - 1, nowLeft - 1];
    } else if (text && !/^(index|---|\+\+\+) /.test(text)) file.lines.push(["hunk", "", "", text]);
  }
  return found;
}

function File({ file, open }) {
  const [all, showAll] = useState(false);
  const lines = all ? file.lines : file.lines.slice(0, MOST);
  return html`<details class="file" open=${open}><summary><span class="id">${line(file.name)}</span> <span class="plus">+${file.added}</span> <span class="minus">−${file.removed}</span></summary>
    <div class="patch" tabindex="0" role="region" aria-label=${`Change of ${line(file.name)}`}><table><tbody>${lines.map(([kind, old, now, text], place) => html`<tr key=${place} class=${kind}><td class="no">${old}</td><td class="no">${now}</td><td class="code">${seen(text)}</td></tr>`)}</tbody></table></div>
    ${lines.length < file.lines.length && html`<button class="more" onClick=${() => showAll(true)}>Show ${file.lines.length - lines.length} more lines</button>`}
  </details>`;
}

/** A patch that is at hand. */
export function Patch({ patch, open }) {
  const found = useMemo(() => files(patch), [patch]);
  if (!found.length) return html`<pre class="text">${seen(patch)}</pre>`;
  const sum = (what) => found.reduce((all, file) => all + file[what], 0);
  const few = found.length <= 10 && found.every((file) => file.lines.length < 800);
  return html`<p>${plural(found.length, "file")} <span class="plus">+${sum("added")}</span> <span class="minus">−${sum("removed")}</span></p>
    ${found.map((file) => html`<${File} key=${file.name} file=${file} open=${open || few} />`)}`;
}

export function Diff({ task, row }) {
  const said = useAsked(`task/${encodeURIComponent(task)}/diff`, {}, `${row?.status} ${row?.attempt} ${row?.since_ms}`, 1000);
  if (!said.value) return html`<${Awaited} said=${said} />`;
  if (!said.value.diff) return html`<${Empty}>There is no change of files to see.<//>`;
  return html`<div class="diff">${store.at != null && html`<p class="banner past">A change is shown as it is today, not as it was then.</p>`}<p class="faint">${line(said.value.of)}</p><${Patch} patch=${said.value.diff} /></div>`;
}
