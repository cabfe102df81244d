// What is asked of the server. Every answer is JSON, and a refusal says why.

/** Why something was not answered. */
export class Refused extends Error {
  constructor(status, said) {
    super(said.error || `the server answered ${status}`);
    this.status = status;
    this.hint = said.hint;
    this.command = said.command;
  }
}

async function answered(asked) {
  let response;
  try { response = await asked; } catch { throw new Refused(0, { error: "the server does not answer", hint: "does agent-team web still run?" }); }
  const text = await response.text();
  let said = {};
  try { said = JSON.parse(text); } catch { said = { error: text.trim() }; }
  if (!response.ok) throw new Refused(response.status, said);
  return said;
}

/** Asks for something; what is `null` is not asked for. */
export async function get(path, more = {}) {
  const given = Object.entries(more).filter(([, value]) => value != null && value !== "");
  const query = new URLSearchParams(given).toString();
  return answered(fetch(`/api/${path}${query ? `?${query}` : ""}`));
}

/** Has something done. */
export async function post(told) {
  return answered(fetch("/api/do", {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(told),
  }));
}
