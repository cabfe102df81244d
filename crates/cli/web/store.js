// What the page knows of the team: the picture as it is now, kept up to date by events, and one of the past while somebody looks at that.
import { get } from "./api.js";

const NONE = Object.freeze([]);
const ROW = { agent: null, stage: null, attempt: 0, priority: 0, parent: null, after: NONE, labels: NONE, role: null,
  skill: null, for_agent: null, failure: null, plan: null, delegate: false, micro_usd: 0, tokens: 0 };

/** Everything; `version` counts up with each change of what is shown. */
export const store = {
  now: null, past: null, at: null, connection: "connecting", error: null, version: 0, transcripts: new Map(), toasts: [],
  dialog: null, clock: Date.now(),
};

const listeners = new Set();
let due = false;

/** Calls those who draw, once for all changes before the next frame. */
export function changed() {
  store.version += 1;
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    listeners.forEach((listener) => listener());
  });
}

export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The picture that is shown. */
export const shown = () => (store.at == null ? store.now : store.past);

function taken(picture) {
  picture.places = new Map();
  picture.tasks = picture.tasks.map((row, place) => {
    picture.places.set(row.id, place);
    return { ...ROW, ...row };
  });
  picture.task = (id) => picture.tasks[picture.places.get(id)];
  return picture;
}

function apply(change) {
  const now = store.now;
  Object.assign(now, change.set);
  now.newest = now.records;
  now.at_ms = change.at_ms;
  if (change.tasks.length) {
    now.tasks = now.tasks.slice();
    for (const row of change.tasks) {
      const place = now.places.get(row.id) ?? now.tasks.length;
      now.places.set(row.id, place);
      now.tasks[place] = { ...ROW, ...row };
    }
  }
  changed();
}

let events = null;
let followed = "";

/** Hears of changes from now on, of these transcripts as well. */
function connect() {
  events?.close();
  events = new EventSource(`/api/events?records=${store.now.records}&transcripts=${followed}`);
  events.onopen = () => { store.connection = "live"; changed(); };
  events.onerror = () => {
    store.connection = "reconnecting";
    changed();
    // What the browser gave up on is begun anew: the server may be back, and know another state.
    if (events.readyState === EventSource.CLOSED) setTimeout(begin, 2000);
  };
  events.addEventListener("change", (event) => apply(JSON.parse(event.data)));
  events.addEventListener("transcript", (event) => readOn(JSON.parse(event.data).token));
}

/** Reads the team, and follows it. */
export async function begin() {
  try {
    store.now = taken(await get("picture"));
    store.error = null;
    connect();
  } catch (error) {
    store.error = error;
    store.connection = "reconnecting";
    // Without the token nothing gets better by itself.
    if (error.status !== 401 && error.status !== 403) setTimeout(begin, 2000);
  }
  changed();
}

let wanted = 0;

/** Shows the team as it was after so many records, or as it is. */
export async function goTo(at) {
  const asked = (wanted += 1);
  if (at == null || at >= store.now.records) {
    store.at = null;
    store.past = null;
    changed();
    return;
  }
  try {
    const past = taken(await get("picture", at));
    // Somebody moved on meanwhile.
    if (asked !== wanted) return;
    store.past = past;
    store.at = at;
  } catch (error) {
    toast(error.message, "bad");
  }
  changed();
}

/** Reads on in a transcript from where it was read to. */
export async function readOn(token) {
  const known = store.transcripts.get(token) ?? { lines: [], next: 0, of: null, reading: null };
  store.transcripts.set(token, known);
  // One at a time, so that no line comes twice.
  known.reading = (known.reading ?? Promise.resolve()).then(async () => {
    try {
      for (;;) {
        const page = await get(`transcript/${token}`, null, { from: known.next });
        known.of = page.of ?? known.of;
        known.lines = known.lines.concat(page.lines);
        if (page.next === known.next) break;
        known.next = page.next;
      }
      known.read = true;
    } catch (error) {
      known.error = error;
    }
    changed();
  });
  return known.reading;
}

/** Says which transcripts are open. */
export function follow(tokens) {
  const now = [...tokens].sort().join(",");
  if (now === followed || !store.now) return;
  followed = now;
  connect();
}

let toasts = 0;

/** Says something that goes away by itself. */
export function toast(text, kind = "good", command = "") {
  const one = { id: (toasts += 1), text, kind, command };
  store.toasts.push(one);
  changed();
  setTimeout(() => {
    store.toasts = store.toasts.filter((known) => known !== one);
    changed();
  }, kind === "bad" ? 12000 : 6000);
}

// "since 12s" goes on while nothing happens.
setInterval(() => { store.clock = Date.now(); if (!document.hidden) changed(); }, 1000);
