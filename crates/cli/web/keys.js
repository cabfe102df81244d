// The page by the keyboard alone.
import { VIEWS, go, read, to } from "./route.js";
import { store } from "./store.js";
import { wish } from "./steer.js";
import { step } from "./parts/slider.js";
import { nextTheme } from "./theme.js";

let before = { key: "", at: 0 };

let pressed = 0;

/** Whether something was just opened by a key. */
export const byKey = () => performance.now() - pressed < 500;

const inSight = (node) => node.getClientRects().length > 0;

/** The first row of a list that is in sight. */
function firstOf(list) {
  const rows = [...list?.querySelectorAll("[data-row]") ?? []];
  const top = list?.getBoundingClientRect().top;
  return rows.find((row) => row.getBoundingClientRect().top >= top) ?? rows[0];
}

function focus(row) {
  row?.focus();
  row?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** Lists with something in them, those of the view first. */
const lists = () => [...document.querySelectorAll("main [data-list], .panel [data-list]")].filter((list) => inSight(list) && list.querySelector("[data-row]"));

/** Goes on in the list where the focus is, or into the first one. */
function move(by) {
  const here = document.activeElement;
  const list = here?.closest?.("[data-list]");
  if (!list) return focus(firstOf(lists()[0]));
  const rows = [...list.querySelectorAll("[data-row]")].filter(inSight);
  const place = rows.indexOf(here.closest("[data-row]"));
  return focus(place < 0 ? firstOf(list) : rows[place + by]);
}

/** Goes to the list on the left or the right. */
function across(by) {
  const all = lists();
  const place = all.indexOf(document.activeElement?.closest?.("[data-list]"));
  focus(firstOf(all[place < 0 ? 0 : Math.min(all.length - 1, Math.max(0, place + by))]));
}

const goView = (view) => {
  go({ view });
  // What is read next is the view.
  document.querySelector("main")?.focus();
};

const KEYS = {
  "?": () => wish.help(), f: () => document.querySelector("main .filter")?.focus(), w: () => { location.hash = to("waiting", "you"); }, t: nextTheme, n: () => go({ at: null }),
  "[": () => step(-1), "]": () => step(1), "{": () => step(-Math.ceil(store.now.records / 20)), "}": () => step(Math.ceil(store.now.records / 20)),
  j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1), h: () => across(-1), l: () => across(1), ArrowLeft: () => across(-1), ArrowRight: () => across(1),
};

export function listenToKeys(search) {
  addEventListener("keydown", (event) => { if (event.key === "Enter" && event.target.closest?.("main")) pressed = performance.now(); }, { capture: true });
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !store.now) return;
    if (store.dialog) return;
    const typing = event.target.matches?.("input, textarea, select");
    if (event.key === "Escape") {
      if (typing) event.target.blur();
      else if (read().open) {
        const { id, kind } = read().open;
        go({ open: null });
        // The focus goes back to where one came from.
        requestAnimationFrame(() => document.querySelector(`main a[href*="/${kind}/${CSS.escape(encodeURIComponent(id))}"]`)?.focus());
      } else if (read().view === "search") go({ view: "agents", q: "" });
      return;
    }
    if (typing && !(event.target.type === "range" && event.key.length === 1)) {
      // From the words into what was found.
      if (event.target.type === "search" && (event.key === "Enter" || event.key === "ArrowDown")) { event.preventDefault(); document.querySelector("main [data-row]")?.focus(); }
      return;
    }
    if (event.key === "/") { event.preventDefault(); search.current?.focus(); search.current?.select(); return; }
    // Arrows scroll where there is nothing to go through.
    if (event.key.startsWith("Arrow") && !event.target.closest?.("[data-list]")) return;
    const second = before.key === "g" && Date.now() - before.at < 1500;
    before = { key: event.key, at: Date.now() };
    const view = VIEWS.find(([, , key], place) => (second ? key === event.key : String(place + 1) === event.key));
    if (view) { before.key = ""; event.preventDefault(); goView(view[0]); return; }
    if (second) return;
    const run = KEYS[event.key];
    if (run) { event.preventDefault(); run(); }
  });
}
