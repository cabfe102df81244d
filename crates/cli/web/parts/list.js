// Lists: of any length at the cost of what is seen of them.
import { html, useLayoutEffect, useRef, useState } from "../lib.js";
import { number } from "../words.js";

const MORE = 6;

/** Rows of one height, of which those in sight are drawn. `row` draws one; `key` names it. */
export function Rows({ items, height, row, name, label, kind = "", near }) {
  const box = useRef(null);
  const [seen, setSeen] = useState({ top: 0, tall: 900 });
  const look = () => {
    // It may be told of a size that it had.
    if (!box.current) return;
    const { scrollTop, clientHeight } = box.current;
    const top = Math.floor(scrollTop / height);
    setSeen((known) => (known.top === top && known.tall === clientHeight ? known : { top, tall: clientHeight }));
    if (near && items.length - top - clientHeight / height < 40) near();
  };
  useLayoutEffect(() => {
    const watch = new ResizeObserver(look);
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  const from = Math.max(0, seen.top - MORE);
  const to = Math.min(items.length, seen.top + Math.ceil(seen.tall / height) + MORE);
  const drawn = [];
  for (let place = from; place < to; place += 1) {
    const item = items[place];
    drawn.push(html`<div key=${name(item)} role="listitem" class="rows-one" aria-setsize=${items.length} aria-posinset=${place + 1}
      style=${{ top: `${place * height}px`, height: `${height}px` }}>${row(item, place)}</div>`);
  }
  return html`<div class="rows ${kind}" ref=${box} onScroll=${look} data-list role="list" aria-label=${label}>
    <div class="rows-all" style=${{ height: `${items.length * height}px` }}>${drawn}</div>
  </div>`;
}

/** Things of any height: the first ones, and more as one comes to their end. */
export function Grown({ items, one, step = 40, kind = "", label }) {
  const [many, setMany] = useState(step);
  const end = useRef(null);
  const more = items.length > many;
  useLayoutEffect(() => {
    if (!more) return undefined;
    const watch = new IntersectionObserver((found) => found[0].isIntersecting && setMany(many + step), { rootMargin: "400px" });
    watch.observe(end.current);
    return () => watch.disconnect();
  }, [many, more]);
  return html`<div class="grown ${kind}" data-list role="list" aria-label=${label}>${items.slice(0, many).map(one)}</div>
    ${more && html`<button class="more" ref=${end} onClick=${() => setMany(many + step)}>
      Show more (${number(items.length - many)} left)</button>`}`;
}
