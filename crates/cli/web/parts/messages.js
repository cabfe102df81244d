// What was said, to whom, and how far it came.
import { html, useState } from "../lib.js";
import { to } from "../route.js";
import { shown } from "../store.js";
import { wish } from "../steer.js";
import { firstLine, line, moment } from "../words.js";
import { Agent, Ago, Do, Empty, Link, Task, Text } from "./common.js";
import { Grown } from "./list.js";

/** To whom, as a link where there is something to see. */
export function To({ to: whom }) {
  if (whom.startsWith("task:")) return html`<${Task} id=${whom.slice(5)} />`;
  return html`<${Agent} id=${whom} />`;
}

/** How far a message came with its readers. */
export function receipts(one) {
  if (one.returned) return "came back: its reader left";
  if (one.asks && shown().messages.some((other) => other.reply_to === one.id)) return "answered";
  if (one.nobody_reads) return "nobody read it before its task ended";
  const by = { read: [], delivered: [], queued: [], left: [] };
  for (const reader of one.readers) by[reader.left ? "left" : reader.receipt ?? "queued"].push(line(reader.agent));
  const words = { read: "read by", delivered: "delivered to", queued: "queued for", left: "left unread by" };
  return Object.entries(by).filter(([, who]) => who.length)
    .map(([how, who]) => `${words[how]} ${who.length > 4 ? `${who.length} agents` : who.join(", ")}`).join(" · ");
}

export function Message({ one, whole }) {
  const picture = shown();
  const open = picture.questions.includes(one.id);
  const before = one.reply_to && picture.messages.find((known) => known.id === one.reply_to);
  return html`<article class="message ${one.urgent ? "urgent" : ""} ${open ? "open" : ""}" role="listitem">
    <h3><${Agent} id=${one.from} /> <span class="faint" aria-label="to">→</span> <${To} to=${one.to} />
      ${one.urgent && html`<span class="mark bad">urgent</span>`}
      ${one.asks && html`<span class="mark ${open ? "you" : ""}">${open ? "question, open" : "question"}</span>`}
      ${one.task && one.to !== `task:${one.task}` && html`<span class="faint">about <${Task} id=${one.task} /></span>`}
      <a class="when" href=${to("message", one.id)} data-row title=${moment(one.at_ms)}><${Ago} ms=${one.at_ms} /> ago</a></h3>
    ${before && !whole && html`<p class="reply faint">answers <${Link} kind="message" id=${before.id}>${firstLine(before.text).slice(0, 80)}<//></p>`}
    <${Text} text=${one.text} kind=${whole ? "" : "clamp"} />
    <footer class="faint"><span>${receipts(one)}</span>
      ${open && html`<${Do} main run=${() => wish.answer(one)}>Answer<//>`}</footer>
  </article>`;
}

/** All that was said in the thread of a message, oldest first. */
export function thread(messages, id) {
  const by = new Map(messages.map((one) => [one.id, one]));
  let root = by.get(id);
  for (let steps = 0; root?.reply_to && by.has(root.reply_to) && steps < 1000; steps += 1) root = by.get(root.reply_to);
  const within = new Set([root?.id]);
  return messages.filter((one) => one.id === root?.id || (within.has(one.reply_to) && within.add(one.id)));
}

const KINDS = [["all", "All"], ["human", "To or from you"], ["questions", "Questions"], ["urgent", "Urgent"]];

export function Messages() {
  const { messages } = shown();
  const [kind, choose] = useState("all");
  const is = { all: () => true, human: (one) => one.from === "human" || one.to === "human", questions: (one) => one.asks, urgent: (one) => one.urgent }[kind];
  const found = messages.filter(is).reverse();
  return html`<section class="scroll messages">
    <div class="tools"><h2 class="sr">Messages</h2><div class="tabs" role="group" aria-label="Which">${KINDS.map(([name, title]) => html`
      <button key=${name} aria-pressed=${name === kind} onClick=${() => choose(name)}>${title}</button>`)}</div>
      <${Do} run=${() => wish.say(null)}>Say something<//></div>
    ${found.length ? html`<${Grown} key=${kind} label="Messages, newest first" items=${found} one=${(one) => html`<${Message} key=${one.id} one=${one} />`} />`
    : html`<${Empty}>Nobody said anything${kind === "all" ? " yet" : " of this kind"}.<//>`}
    ${messages.length >= 500 && html`<p class="faint">The newest 500 are shown; search finds the others.</p>`}
  </section>`;
}
