// What is asked of the server. Every answer is JSON, and a refusal says why.
const { headers, picture } = window.agentTeam;

// How long something that is done may take, in milliseconds.
const PATIENCE = 120000;

/** Why something was not answered. */
export class Refused extends Error {
  constructor(status, said) {
    super(said.error || `the server answered ${status}`);
    this.status = status;
    this.hint = said.hint;
    this.command = said.command;
  }
}

async function response(asked) {
  try { return await asked; } catch (error) {
    if (error.name === "AbortError") throw new Refused(0, { error: "you gave it up; if it had arrived, it is done all the same" });
    if (error.name === "TimeoutError") throw new Refused(0, { error: "the server took too long to answer; it may do it yet" });
    throw new Refused(0, { error: "the server does not answer", hint: "does agent-team web still run?" });
  }
}

async function answered(asked) {
  const answer = await response(asked);
  const text = await answer.text();
  let said = {};
  try { said = JSON.parse(text); } catch { said = { error: text.trim() }; }
  if (!answer.ok) throw new Refused(answer.status, said);
  return said;
}

let first = picture;

/** Asks for something; what is `null` is not asked for. */
export async function get(path, more = {}) {
  const given = Object.entries(more).filter(([, value]) => value != null && value !== "");
  const query = new URLSearchParams(given).toString();
  if (path === "picture" && !query && first) {
    const asked = first;
    first = null;
    return answered(asked);
  }
  return answered(fetch(`/api/${path}${query ? `?${query}` : ""}`, { headers }));
}

/** Has something done, unless it is given up. */
export async function post(told, givenUp) {
  const patience = AbortSignal.timeout(PATIENCE);
  return answered(fetch("/api/do", {
    method: "POST", headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify(told),
    signal: givenUp ? AbortSignal.any([givenUp, patience]) : patience,
  }));
}

/**
 * Hears server-sent events until what it gives back is called, or the server ends. The browser's own way of hearing them sends no
 * header.
 */
export function hear(path, { opened, told, over }) {
  const leave = new AbortController();
  const listen = async () => {
    const answer = await response(fetch(`/api/${path}`, { headers, signal: leave.signal }));
    if (!answer.ok) throw new Refused(answer.status, {});
    opened();
    const words = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await words.read();
      if (done) return;
      text += value;
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const fields = text.slice(0, end).split("\n").map((field) => [field.split(":", 1)[0], field.slice(field.indexOf(":") + 1).trim()]);
        const { event, data } = Object.fromEntries(fields);
        text = text.slice(end + 2);
        if (data) told(event, JSON.parse(data));
      }
    }
  };
  listen().catch(() => {}).then(() => { if (!leave.signal.aborted) over(); });
  return () => leave.abort();
}
