// What every part is made of.
import { html, useEffect, useLayoutEffect, useRef, useState } from "./vendor/htm-preact-standalone-3.1.1.module.js";
import { DOING, STATUSES, seen } from "./words.js";
import { read, to } from "./route.js";

export { Component, createContext, html, render, useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from "./vendor/htm-preact-standalone-3.1.1.module.js";

/** A link to a task, an agent, a message or a transcript. */
export function Link({ kind, id, text, title }) {
  const open = read().open;
  const here = open?.kind === kind && open.id === id;
  return html`<a class="to" href=${to(kind, id)} title=${title} aria-current=${here ? "true" : null}>${seen(text ?? id)}</a>`;
}

/** A status of a task, in a mark and a word. */
export function Status({ of, short }) {
  const [mark, word] = STATUSES[of] ?? ["?", of];
  return html`<span class=${`state ${of}`}><span aria-hidden="true">${mark}</span>${short ? html`<span class="unseen">${word}</span>` : ` ${word}`}</span>`;
}

/** What an agent does, in a mark and a word. */
export function Doing({ of }) {
  const [mark, word] = DOING[of] ?? ["?", of];
  return html`<span class=${`state ${of}`}><span aria-hidden="true">${mark}</span> ${word}</span>`;
}

/**
 * A list of which only the rows in sight are there, however many there are. Each is `height` pixels high.
 * Keys move the focus from row to row, also to those that are not there yet.
 */
export function Rows({ items, height, row, name, empty }) {
  const box = useRef();
  const [view, setView] = useState({ top: 0, room: 600 });
  const look = () => {
    const { scrollTop, clientHeight } = box.current;
    setView((known) => (known.top === scrollTop && known.room === clientHeight ? known : { top: scrollTop, room: clientHeight }));
  };
  useLayoutEffect(() => {
    look();
    const watch = new ResizeObserver(look);
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  const move = (event) => {
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: 10, PageUp: -10, Home: -1e9, End: 1e9 }[event.key];
    const from = event.target.closest("[data-row]");
    if (!step || !from || event.altKey || event.ctrlKey || event.metaKey || event.target.matches("input,textarea,select")) return;
    event.preventDefault();
    event.stopPropagation();
    const next = Math.max(0, Math.min(items.length - 1, Number(from.dataset.row) + step));
    const top = next * height;
    if (top < box.current.scrollTop) box.current.scrollTop = top;
    else if (top + height > box.current.scrollTop + box.current.clientHeight) box.current.scrollTop = top + height - box.current.clientHeight;
    look();
    // The row may come with the next drawing only.
    requestAnimationFrame(() => requestAnimationFrame(() => {
      const found = box.current?.querySelector(`[data-row="${next}"]`);
      (found?.matches("a,button") ? found : found?.querySelector("a,button"))?.focus();
    }));
  };
  const first = Math.max(0, Math.floor(view.top / height) - 4);
  const last = Math.min(items.length, Math.ceil((view.top + view.room) / height) + 4);
  const there = [];
  for (let place = first; place < last; place += 1) {
    there.push(html`<div class="row" role="listitem" aria-setsize=${items.length} aria-posinset=${place + 1} key=${items[place].id ?? items[place].seq ?? place} data-row=${place} style=${{ top: `${place * height}px`, height: `${height}px` }}>${row(items[place], place)}</div>`);
  }
  return html`<div class="rows" ref=${box} onScroll=${look} onKeyDown=${move} role="list" aria-label=${name} tabindex=${items.length ? null : "0"}>
    ${items.length ? html`<div class="room" style=${{ height: `${items.length * height}px` }}>${there}</div>` : html`<p class="empty">${empty}</p>`}
  </div>`;
}

/** Something that is asked for once and whenever `keys` change; says whether it is still on its way, and what came. */
export function useAsked(ask, keys) {
  const [known, setKnown] = useState({ value: null, error: null });
  useEffect(() => {
    let gone = false;
    ask().then((value) => gone || setKnown({ value, error: null }), (error) => gone || setKnown((before) => ({ ...before, error })));
    return () => { gone = true; };
  }, keys);
  return known;
}

/** What is said where something could not be read. */
export const Wrong = ({ error }) => html`<p class="wrong" role="alert">ERROR ${error.message}${error.hint ? html`<br />${error.hint}` : null}</p>`;
