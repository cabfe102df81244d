// What the page knows of the team: the picture as it is now, kept up to date by events, and one of the past while somebody looks
// at that. Everything is drawn from here, once for each frame in which something changed.
import { useEffect, useRef, useState } from "./lib.js";
import { get, hear } from "./api.js";

const NONE = Object.freeze([]);
// What a row leaves out.
const ROW = { agent: null, stage: null, attempt: 0, priority: 0, parent: null, after: NONE, labels: NONE, role: null,
  skill: null, for_agent: null, failure: null, plan: null, delegate: false, micro_usd: 0, tokens: 0 };

export const store = {
  now: null, past: null, at: null, connection: "connecting", away: null, error: null, transcripts: new Map(), toasts: [], dialog: null,
  filters: { agents: "", board: "" },
  clock: Date.now(),
};

const listeners = new Set();
let due = false;

/** Calls those who draw, once for all changes before the next frame. */
export function changed() {
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

/** The time that it is of. */
export const shownTime = () => (store.at != null ? store.past.at_ms : store.now.read_only ? store.now.at_ms : store.clock);

function taken(picture) {
  picture.places = new Map();
  picture.tasks = picture.tasks.map((row, place) => {
    picture.places.set(row.id, place);
    return { ...ROW, ...row };
  });
  picture.task = (id) => picture.tasks[picture.places.get(id)];
  picture.agent = (id) => picture.agents.find((agent) => agent.id === id);
  return picture;
}

function apply(change) {
  const now = store.now;
  Object.assign(now, change.set);
  now.records = change.records ?? now.records;
  now.at_ms = change.at_ms;
  if (change.tasks.length) {
    // Another list, so that what was made of the old one is made anew; the rows that did not change are the same.
    now.tasks = now.tasks.slice();
    for (const row of change.tasks) {
      const place = now.places.get(row.id) ?? now.tasks.length;
      now.places.set(row.id, place);
      now.tasks[place] = { ...ROW, ...row };
    }
  }
  changed();
}

let close = null;
let followed = "";
let begins = null;

function lost() {
  store.connection = "reconnecting";
  store.away ??= Date.now();
}

/** Hears of changes from now on, of these transcripts as well. */
function connect() {
  close?.();
  close = hear(`events?records=${store.now.records}&transcripts=${followed}`, {
    opened: () => {
      store.connection = "live";
      store.away = null;
      // What was written while nobody listened is told by no event.
      followed.split(",").filter((token) => store.transcripts.has(token)).forEach((token) => readOn(token));
      changed();
    },
    told: (event, said) => (event === "change" ? apply(said) : readOn(said.token)),
    over: () => {
      close = null;
      lost();
      changed();
      again();
    },
  });
}

// A browser has six connections to a server for all its tabs: tabs that nobody sees give theirs back, but for one, in whose title
// stands what waits.
let letGo = null;
document.addEventListener("visibilitychange", () => {
  if (!store.now) return;
  if (document.hidden) {
    navigator.locks.request("agent-team-listens-unseen", { ifAvailable: true }, (lock) => {
      if (lock) return new Promise((resolve) => { letGo = resolve; });
      close?.();
      close = null;
      return undefined;
    });
    return;
  }
  letGo?.();
  letGo = null;
  if (!close) connect();
});

function again() {
  clearTimeout(begins);
  begins = setTimeout(begin, 1500);
}

/** Reads the team, and follows it. */
export async function begin() {
  try {
    const picture = await get("picture");
    performance.mark("data");
    store.now = taken(picture);
    store.error = null;
    connect();
  } catch (error) {
    store.error = error;
    lost();
    // Without the token nothing gets better by itself.
    if (error.status !== 401 && error.status !== 403) again();
  }
  changed();
}

let wanted = 0;

/** Shows the team as it was after so many records, or as it is. */
export async function goTo(at) {
  const asked = (wanted += 1);
  if (at === store.at) return;
  if (at == null || at >= store.now.records) {
    store.at = null;
    store.past = null;
    changed();
    return;
  }
  try {
    const past = taken(await get("picture", { at }));
    // Somebody moved on meanwhile.
    if (asked !== wanted) return;
    store.past = past;
    store.at = at;
  } catch (error) {
    toast(error.message, "bad");
  }
  changed();
}

/** So much of a transcript's end is read first, in bytes. */
const END = 1 << 18;

/** Reads on in a transcript from where it was read to, or its end if it was not read yet; or all of it. */
export function readOn(token, whole = false) {
  let known = store.transcripts.get(token);
  if (!known) store.transcripts.set(token, (known = { lines: [], draft: null, from: null, next: null, of: null, queue: Promise.resolve() }));
  // One that has not begun yet reads what came since as well.
  if (known.waits && !whole) return known.queue;
  known.waits = true;
  // One at a time, so that no line comes twice.
  known.queue = known.queue.then(async () => {
    known.waits = false;
    let { lines, from, next, draft, of } = whole ? { ...known, lines: [], from: 0, next: 0 } : known;
    try {
      for (;;) {
        const page = await get(`transcript/${encodeURIComponent(token)}`, next == null ? { end: END } : { from: next });
        from ??= page.from;
        of = page.of ?? of;
        draft = page.draft;
        if (page.lines.length) lines = lines.concat(page.lines);
        if (page.next === next) break;
        next = page.next;
      }
      Object.assign(known, { lines, from, next, draft, of, read: true, error: null });
    } catch (error) {
      known.error = error;
    }
    changed();
  });
  return known.queue;
}

/** Says which transcripts are open. */
export function follow(tokens) {
  const wanted = [...tokens].sort().join(",");
  if (wanted === followed || !store.now) return;
  followed = wanted;
  connect();
}

/** What the server says to a question; asked again when `key` changes, and at most once in `pause` milliseconds. */
export function useAsked(path, more = {}, key = "", pause = 0) {
  const [said, setSaid] = useState({ path: null, value: null, error: null });
  const asked = useRef({ number: 0, heard: 0, at: 0 }).current;
  const query = JSON.stringify(more);
  useEffect(() => {
    if (!path) return undefined;
    const ask = async () => {
      const number = (asked.number += 1);
      asked.at = Date.now();
      let next;
      try { next = { path, value: await get(path, more), error: null }; } catch (error) { next = { path, value: null, error }; }
      // An older answer that comes later is no news.
      if (number > asked.heard) {
        asked.heard = number;
        setSaid(next);
      }
    };
    const wait = said.path === path ? asked.at + pause - Date.now() : 0;
    if (wait <= 0) { ask(); return undefined; }
    const timer = setTimeout(ask, wait);
    return () => clearTimeout(timer);
  }, [path, query, key]);
  return said.path === path ? said : { path, value: null, error: null };
}

let toasts = 0;

/** Says something that goes away by itself, or when two others were said after it. */
export function toast(text, kind = "good", command = "", hint = "") {
  const one = { id: (toasts += 1), text, kind, command, hint };
  store.toasts = [...store.toasts.slice(-1), one];
  changed();
  setTimeout(() => drop(one), kind === "bad" ? 15000 : 7000);
}

export function drop(toast) {
  store.toasts = store.toasts.filter((known) => known !== toast);
  changed();
}

/** Opens a dialog, or closes it with `null`: at once, since the next key is for it. */
export function ask(dialog) {
  store.dialog = dialog;
  listeners.forEach((listener) => listener());
}

// "since 12s" goes on while nothing happens.
setInterval(() => {
  store.clock = Date.now();
  if (!document.hidden) changed();
}, 1000);
