// How things are said: times, money, states, and text in which nobody can hide anything.

/** What each status of a task looks like: never by colour alone. */
export const STATUSES = {
  blocked: "◌", ready: "○", running: "●", verifying: "◑", reviewing: "◎", merging: "⇢", completed: "✓", failed: "✗",
  cancelled: "–",
};

/** What agents do: a sign, words, and the colour. */
export const DOING = {
  working: ["●", "working", "running"], waiting_for_model: ["◔", "waits for its model", "running"],
  waiting_for_gate: ["◑", "waits for a gate", "verifying"], waiting_for_human: ["!", "waits for you", "you"],
  waiting_for_agent: ["◐", "waits for an agent", "reviewing"], paused: ["‖", "paused", "you"],
  stopped: ["■", "stopped", "failed"], idle: ["○", "idle", "ready"], stuck: ["!", "stuck", "failed"],
  dead: ["✗", "dead", "failed"], gone: ["–", "gone", "cancelled"], left: ["–", "has left", "cancelled"],
};

/** How claims end. */
/** Why tasks failed for good: on a card, and in a sentence. */
export const FAILURES = {
  attempts: ["attempts used up", "all of its attempts failed"], given_up: ["gave up", "its agent gave up"],
  quarantined: ["quarantined", "taken over too often"], conflicts: ["conflicts", "did not fit onto the target too often"],
  parts: ["a part failed", "a part of it failed"],
};

/** The priority of what goes before all else. */
export const FIRST = 2147483647;

export const STAGES = { work: "work", verify: "check", review: "review", merge: "merge" };

const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/g;

/** A text in which marks that nobody sees, or that turn the direction of writing, are shown. */
export const seen = (text) =>
  String(text ?? "").replace(UNSEEN, (c) => (c === "\r" ? "\\r" : `\\u{${c.codePointAt(0).toString(16)}}`));

/** The same for what has one line: a name, a title. */
export const line = (text) => seen(text).replace(/\n/g, "⏎").replace(/\t/g, " ");

/** A text of a view: as it is, or how it begins where it is kept elsewhere. */
export const textOf = (text) => seen(text == null ? "" : typeof text === "string" ? text : `${text.head ?? ""}…`);

export const firstLine = (text) => line(textOf(text).trim().split("\n", 1)[0]);

/** A length of time in its two largest units at most. */
export function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 1 && ms > 0) return `${Math.round(ms)}ms`;
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m${s % 60 && s < 600 ? ` ${s % 60}s` : ""}`;
  if (s < 172800) return `${Math.floor(s / 3600)}h${Math.floor((s % 3600) / 60) ? ` ${Math.floor((s % 3600) / 60)}m` : ""}`;
  return `${Math.floor(s / 86400)}d`;
}

const two = (n) => String(n).padStart(2, "0");

export function clock(ms) {
  if (!ms) return "";
  const at = new Date(ms);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
}

/** Day and time, the way that sorts. */
export function moment(ms) {
  if (!ms) return "";
  const at = new Date(ms);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock(ms)}`;
}

export function money(micro) {
  const dollars = (micro ?? 0) / 1e6;
  return `$${dollars < 0.1 && dollars > 0 ? dollars.toFixed(4) : dollars.toFixed(2)}`;
}

/** A number in full. The browser's own way is slow the first time. */
export const number = (n) => String(n ?? 0).replace(/\B(?=(\d{3})+$)/g, ",");

export function count(n) {
  if (n >= 1e6) return `${(n / 1e6).toFixed(1)}M`;
  return n >= 10000 ? `${Math.round(n / 1000)}k` : number(n);
}

export const tokensOf = (amount) => (amount?.input_tokens ?? 0) + (amount?.output_tokens ?? 0);

/** Tokens and money; nothing if nothing was spent. */
export function spent(tokens, micro) {
  return [tokens ? `${count(tokens)} tokens` : "", micro ? money(micro) : ""].filter(Boolean).join(" · ");
}

/** Whose account it is. */
export const accountOf = (account) => (typeof account === "string" ? account : Object.entries(account)[0]?.join(" ") ?? "");

export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;
