// Words in everything that was said.
import { get } from "../api.js";
import { html, Link, useAsked, Wrong } from "../base.js";
import { seen } from "../words.js";

export function Search({ q }) {
  const { value, error } = useAsked(() => get("search", null, { q }), [q]);
  if (error) return html`<${Wrong} error=${error} />`;
  if (!value) return html`<p class="empty">Searching…</p>`;
  const { tasks, messages, transcripts, more } = value;
  const hit = (text) => {
    const at = text.toLowerCase().indexOf(q.trim().toLowerCase());
    return at < 0 ? seen(text) : html`${seen(text.slice(0, at))}<mark>${seen(text.slice(at, at + q.trim().length))}</mark>${seen(text.slice(at + q.trim().length))}`;
  };
  const section = (name, found, row) => html`<section><h3>${name} <span class="number">${found.length}</span></h3>
    ${found.length ? html`<ul class="found">${found.map((one) => html`<li>${row(one)}</li>`)}</ul>` : html`<p class="empty">none</p>`}</section>`;
  return html`<h2>“${seen(q)}”</h2>
    ${section("Tasks", tasks, (one) => html`<${Link} kind="task" id=${one.id} /> ${seen(one.title)}<br /><span class="hint">${one.where}: ${hit(one.text)}</span>`)}
    ${section("Messages", messages, (one) => html`<${Link} kind="message" id=${one.id} text=${`${one.from} → ${one.to}`} /><br /><span class="hint">${hit(one.text)}</span>`)}
    ${section("Transcripts", transcripts, (one) => html`<${Link} kind="transcript" id=${one.token} text=${`${one.agent} at ${one.task}`} /><br /><span class="hint">${hit(one.text)}</span>`)}
    ${more ? html`<p class="hint">There may be more.</p>` : null}`;
}
