// Goes back through the log: the whole page is as it was after a record.
import { html, useEffect, useState } from "../lib.js";
import { go, read } from "../route.js";
import { shown, store } from "../store.js";
import { moment, number } from "../words.js";

/** Goes to a record, within what there is; to the newest means to now. */
export function step(by, passing = true) {
  const newest = store.now.records;
  // From where one wants to be: the team of the last step may not be there yet.
  const next = Math.min(newest, Math.max(0, (read().at ?? newest) + by));
  go({ at: next >= newest ? null : next }, passing);
}

export function Slider() {
  const newest = store.now.records;
  const at = store.at ?? newest;
  // Under the finger it is where the finger is; the team follows.
  const [drawn, draw] = useState(null);
  useEffect(() => {
    if (drawn == null) return undefined;
    const timer = setTimeout(() => { go({ at: drawn >= newest ? null : drawn }, true); draw(null); }, 90);
    return () => clearTimeout(timer);
  }, [drawn]);
  const place = drawn ?? at;
  const words = store.at == null && drawn == null ? `now, record ${number(newest)}` : `record ${number(place)} of ${number(newest)}`;
  return html`<div class="slider" role="group" aria-label="Back through the log">
    <button class="icon" onClick=${() => step(-1)} disabled=${at === 0} aria-label="One record back" title="One record back  [">◂</button>
    <input type="range" min="0" max=${newest} step="1" value=${place} aria-label="Record of the log" aria-valuetext=${words} onInput=${(event) => draw(Number(event.currentTarget.value))} />
    <button class="icon" onClick=${() => step(1)} disabled=${store.at == null} aria-label="One record forward" title="One record forward  ]">▸</button>
    <span class="at">${words}${store.at != null && drawn == null ? html`<span class="faint"> · ${moment(shown().at_ms)}</span>` : ""}</span>
    ${store.at != null && html`<button class="do main" onClick=${() => go({ at: null })}>Back to now</button>`}
  </div>`;
}
