import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useLayoutEffect, useState } from "preact/hooks";

type Props = {
  /** Scrolls. */
  viewport: RefObject<HTMLElement | null>;
  count: number;
  rowHeight: number;
  render: (place: number) => ComponentChildren;
  /** Called when so few rows are left below that more should be on their way. */
  onNearEnd: () => void;
};

const AROUND = 8;
/** As long as somebody leaps through the list, only what is seen is drawn: all of it is another one's a moment later. */
const SETTLE_MS = 120;
/** More than are ever drawn at once. */
const SLOTS = 256;
const NEAR_ROWS = 300;

/** Give the key of a row: while it is near it keeps its elements, and after a leap they are another row's. */
export function slot(place: number): number {
  return place % SLOTS;
}

/** As many rows as are seen, and a few around them, of however many there are. */
export function Virtual({ viewport, count, rowHeight, render, onNearEnd }: Props) {
  const [seen, setSeen] = useState({ first: 0, last: 40 });
  useLayoutEffect(() => {
    const element = viewport.current;
    if (!element) return;
    let top = 0;
    let later: ReturnType<typeof setTimeout> | undefined;
    const draw = (around: number) => {
      const first = Math.max(0, Math.floor(element.scrollTop / rowHeight) - around);
      const last = Math.ceil((element.scrollTop + element.clientHeight) / rowHeight) + around;
      setSeen((before) => (before.first === first && before.last === last ? before : { first, last }));
    };
    const look = () => {
      const isLeap = Math.abs(element.scrollTop - top) > element.clientHeight;
      top = element.scrollTop;
      clearTimeout(later);
      if (isLeap) later = setTimeout(draw, SETTLE_MS, AROUND);
      draw(isLeap ? 0 : AROUND);
    };
    look();
    element.addEventListener("scroll", look, { passive: true });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    return () => {
      element.removeEventListener("scroll", look);
      observer.disconnect();
      clearTimeout(later);
    };
  }, [viewport, rowHeight]);
  useEffect(() => {
    if (seen.last + NEAR_ROWS > count) onNearEnd();
  }, [seen.last, count, onNearEnd]);

  const places = [];
  for (let place = seen.first; place < Math.min(seen.last, count); place += 1) places.push(place);
  return (
    <div class="virtual" role="presentation" style={{ height: `${count * rowHeight}px` }}>
      <div role="presentation" style={{ transform: `translateY(${seen.first * rowHeight}px)` }}>
        {places.map(render)}
      </div>
    </div>
  );
}
