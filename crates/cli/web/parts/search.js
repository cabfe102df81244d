// What was found.
import { html, useEffect, useState } from "../lib.js";
import { read } from "../route.js";
import { shown, store, useAsked } from "../store.js";
import { line } from "../words.js";
import { Awaited, Empty, Link, Marked, Status } from "./common.js";

export function Search() {
  const typed = read().q.trim();
  const [words, settle] = useState(typed);
  useEffect(() => {
    const timer = setTimeout(() => settle(typed), 120);
    return () => clearTimeout(timer);
  }, [typed]);
  const said = useAsked(words ? "search" : null, { q: words });
  if (!typed) return html`<${Empty}>Type what you look for: it is searched in tasks, messages and transcripts.<//>`;
  if (!said.value) return html`<${Awaited} said=${said} />`;
  const { tasks, messages, transcripts, more } = said.value;
  const picture = shown();
  const part = (title, found, one) => found.length > 0 && html`<h2>${title} <span class="n">${found.length}</span></h2>
    <div class="found" data-list role="list" aria-label=${title}>${found.map(one)}</div>`;
  return html`<section class="scroll search-found" aria-live="polite">
    ${store.at != null && html`<p class="banner past">What is found is of now, not of the record that you look at.</p>`}
    ${part("Tasks", tasks, (one) => {
    const row = picture.task(one.id);
    return html`<div key=${one.id} role="listitem"><${Link} kind="task" id=${one.id} data-row class="hit">
        <span>${row && html`<${Status} status=${row.status} short />`} <b class="id">${line(one.id)}</b> ${line(one.title)}</span>
        ${one.where !== "title" && one.where !== "id" && html`<span class="faint">${one.where}: <${Marked} text=${line(one.text)} words=${words} /></span>`}<//></div>`;
  })}
    ${part("Messages", messages, (one) => html`<div key=${one.id} role="listitem"><${Link} kind="message" id=${one.id} data-row class="hit">
      <span><b>${line(one.from)}</b> → ${line(one.to)}</span><span class="faint"><${Marked} text=${line(one.text)} words=${words} /></span><//></div>`)}
    ${part("Transcripts", transcripts, (one) => html`<div key=${one.token} role="listitem"><${Link} kind="transcript" id=${one.token} find=${words} data-row class="hit">
      <span><b>${line(one.agent)}</b> on <span class="id">${line(one.task)}</span></span><span class="faint"><${Marked} text=${line(one.text)} words=${words} /></span><//></div>`)}
    ${!tasks.length && !messages.length && !transcripts.length && html`<${Empty}>Nothing has “${line(words)}” in it.<//>`}
    ${more && html`<p class="faint">There may be more: say more words.</p>`}
  </section>`;
}
