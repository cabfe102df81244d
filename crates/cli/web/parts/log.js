// The records of the log, newest first. Each is a place to which one can go back.
import { html, useEffect, useRef, useState } from "../lib.js";
import { get } from "../api.js";
import { go, to } from "../route.js";
import { shown, store } from "../store.js";
import { clock, line, moment } from "../words.js";
import { Empty } from "./common.js";
import { Rows } from "./list.js";

/** The records up to one, read page by page as one comes to their end. */
function useRecords(at, newest, task) {
  const [all, setAll] = useState({ rows: null, end: false });
  const now = useRef({ busy: false, rows: [], asked: 0, of: null });
  useEffect(() => {
    const known = now.current;
    const of = `${at} ${task}`;
    const ask = async () => {
      known.asked = Date.now();
      try {
        const rows = await get("records", { at, task });
        // What was read on before stays where the pages meet.
        const oldest = rows.at(-1)?.seq ?? 0;
        const meets = known.of === of && known.rows.some((row) => row.seq === oldest);
        known.rows = meets ? rows.concat(known.rows.filter((row) => row.seq < oldest)) : rows;
        if (known.of !== of || !meets) known.end = rows.length < 200;
        known.of = of;
        setAll({ rows: known.rows, end: known.end });
      } catch { /* the next change asks again */ }
    };
    const timer = setTimeout(ask, known.of === of ? Math.max(0, known.asked + 250 - Date.now()) : 0);
    return () => clearTimeout(timer);
  }, [at, newest, task]);
  const more = async () => {
    const known = now.current;
    if (known.busy || known.end || !known.rows.length) return;
    known.busy = true;
    try {
      const rows = await get("records", { before: known.rows.at(-1).seq, task });
      known.end = rows.length < 200;
      known.rows = known.rows.concat(rows);
      setAll({ rows: known.rows, end: known.end });
    } finally { known.busy = false; }
  };
  return { ...all, more };
}

export function Records({ task, height = 40 }) {
  const picture = shown();
  const { rows, more } = useRecords(store.at, picture.records, task);
  if (!rows) return html`<${Empty}>Reading…<//>`;
  if (!rows.length) return html`<${Empty}>No records.<//>`;
  const row = (one) => html`<div class="record o-${one.outcome}">
    <button class="seq" data-row onClick=${() => go({ at: one.seq })} title=${`See the team as it was after record ${one.seq}`} aria-label=${`Record ${one.seq}: ${line(one.summary)}. Go back to it`}>${one.seq}</button>
    <time title=${moment(one.at_ms)}>${clock(one.at_ms)}</time>
    <span class="by">${line(one.by ?? "")}</span>
    <span class="kind">${one.kind.replace(/_/g, " ")}</span>
    <span class="what" title=${line(one.summary)}>${one.task && one.task !== task ? html`<a href=${to("task", one.task)}>${line(one.task)}</a> ` : ""}${line(one.summary)}</span>
    ${one.outcome !== "effective" && html`<span class="mark bad">${one.outcome}</span>`}
  </div>`;
  return html`<${Rows} kind="records" label="Records, newest first" items=${rows} height=${height} name=${(one) => one.seq} row=${row} near=${more} />`;
}

export const Log = () => html`<section class="full log"><h2 class="sr">Log</h2><${Records} /></section>`;
