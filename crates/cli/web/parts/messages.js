// Messages, and how far each came.
import { html, Link } from "../base.js";
import { address, read } from "../route.js";
import { answer, say, why } from "../steer.js";
import { clock, firstLine, textOf } from "../words.js";

export function Messages({ picture }) {
  const questions = new Set(picture.questions);
  const all = [...picture.messages].reverse();
  const no = why();
  return html`<div class="tools"><button class="main" disabled=${Boolean(no)} title=${no} onClick=${() => say("everyone")}>Say something to everyone</button></div>
    ${all.length ? html`<ul class="messages">${all.map((message) => html`<${Message} key=${message.id} message=${message} asks=${questions.has(message.id)} />`)}</ul>`
    : html`<p class="empty">Nobody has said anything.</p>`}`;
}

/** Who is meant, as a link where one can be. */
export function Whom({ to }) {
  if (to.startsWith("task:")) return html`the thread of <${Link} kind="task" id=${to.slice(5)} />`;
  if (to === "everyone" || to.startsWith("role:")) return to;
  return html`<${Link} kind="agent" id=${to} />`;
}

/** How far a message came. */
export function received(message) {
  if (message.returned) return "returned: its reader has left";
  if (message.nobody_reads) return "nobody reads it any more";
  if (!message.readers.length) return "waits for a reader";
  const far = (receipt) => message.readers.filter((reader) => reader.receipt === receipt).map((reader) => reader.agent);
  const words = [];
  if (far("read").length) words.push(`read by ${far("read").join(", ")}`);
  if (far("delivered").length) words.push(`delivered to ${far("delivered").join(", ")}`);
  if (far(null).length) words.push(`queued for ${far(null).join(", ")}`);
  return words.join("; ");
}

export function Message({ message, asks, whole }) {
  const open = read().open;
  const here = open?.kind === "message" && open.id === message.id;
  return html`<li class=${`message ${message.urgent ? "urgent" : ""}`} aria-current=${here ? "true" : null}>
    <p class="head"><${Link} kind="agent" id=${message.from} /> → <${Whom} to=${message.to} />
      ${message.task && !message.to.startsWith("task:") ? html` about <${Link} kind="task" id=${message.task} />` : null}
      ${message.urgent ? html` <strong class="tag">interrupts</strong>` : null}${message.asks ? html` <strong class="tag">asks</strong>` : null}
      <a class="since" data-item href=${address({ open: { kind: "message", id: message.id } })} aria-label=${`message of ${message.from}: ${firstLine(message.text).slice(0, 60)}`}>${clock(message.at_ms)}</a></p>
    <p class="text">${textOf(message.text)}</p>
    ${message.reply_to ? html`<p class="hint">answers <${Link} kind="message" id=${message.reply_to} text="this message" /></p>` : null}
    <p class="hint">${received(message)}</p>
    ${asks ? html`<button class="main" disabled=${Boolean(why())} onClick=${() => answer(message)}>Answer</button>` : null}
  </li>`;
}
