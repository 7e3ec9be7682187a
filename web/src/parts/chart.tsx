import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { colour, THEME_CHANGED } from "../theme.ts";
import { aligned, type Line, options } from "./drawing.ts";
import { Series } from "./series.tsx";

type Props = {
  /** Epoch milliseconds at which each step begins. */
  at: readonly number[];
  lines: readonly Line[];
  /** In pixels; where it fills its place, the least it takes. */
  height?: number;
  fills?: boolean;
  /** What is seen, in a sentence, for those who don't see it. */
  summary: string;
  /** How values are written. */
  write: (value: number | null) => string;
  /** How a step is called. */
  name: (at: number) => string;
  /** Called with the window that was drawn over the chart. */
  onZoom?: (from: number, to: number) => void;
  /** Whether its numbers stand elsewhere in the view. */
  isTold?: boolean;
};

/** Series over time: bars on one another, or lines. */
export function Chart({ at, lines, height = 240, fills = false, summary, write, name, onZoom, isTold = false }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [hovered, setHovered] = useState<{ place: number; left: number; flip: boolean } | null>(null);
  const [theme, setTheme] = useState(0);
  const zoom = useRef(onZoom);
  zoom.current = onZoom;
  const writer = useRef(write);
  writer.current = write;

  const step = (at[1] ?? 0) - (at[0] ?? 0);
  const shape = lines.map((line) => `${line.label}|${line.kind}|${line.tone}`).join("¦");
  const data = useMemo(() => aligned(at, lines), [at, lines]);
  const latest = useRef(data);
  latest.current = data;

  useEffect(() => {
    const system = matchMedia("(prefers-color-scheme: dark)");
    const redraw = () => setTheme((count) => count + 1);
    addEventListener(THEME_CHANGED, redraw);
    system.addEventListener("change", redraw);
    return () => {
      removeEventListener(THEME_CHANGED, redraw);
      system.removeEventListener("change", redraw);
    };
  }, []);

  useEffect(() => {
    const place = host.current;
    if (!place) return;
    const made = new uPlot(
      options({
        at,
        lines,
        height: fills ? Math.max(height, place.clientHeight) : height,
        width: place.clientWidth,
        colour,
        write: (value) => writer.current(value),
        canZoom: onZoom !== undefined,
        onHover: (index, left) =>
          setHovered(index === null ? null : { place: index, left, flip: left > place.clientWidth * 0.6 }),
        onZoom: (from, to) => zoom.current?.(from, to),
      }),
      latest.current,
      place,
    );
    plot.current = made;
    const observer = new ResizeObserver(() =>
      made.setSize({
        width: place.clientWidth,
        height: fills ? Math.max(height, place.clientHeight) : height,
      }),
    );
    observer.observe(place);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, step, height, fills, theme, onZoom !== undefined]);

  useEffect(() => plot.current?.setData(data), [data]);

  const moment = hovered === null ? undefined : at[hovered.place];
  const drawn = (
    <div class={fills ? "chart chart-fills" : "chart"}>
      <div ref={host} role="img" aria-label={summary} style={{ minHeight: fills ? undefined : `${height}px` }} />
      {hovered !== null && moment !== undefined && (
        <div
          class={hovered.flip ? "tooltip tooltip-flipped" : "tooltip"}
          aria-hidden="true"
          style={{ left: `${hovered.left}px` }}
        >
          <strong>{name(moment)}</strong>
          {lines.map((line) => (
            <span key={line.label}>
              <i class={`dot tone-${line.tone}`} />
              {line.label}
              <b>{write(line.values[hovered.place] ?? null)}</b>
            </span>
          ))}
        </div>
      )}
    </div>
  );
  if (isTold) return drawn;
  return (
    <>
      {drawn}
      <Series at={at} lines={lines} write={write} name={name} />
    </>
  );
}

/** What the colours of a chart mean. */
export function Legend({ lines }: { lines: ReadonlyArray<Pick<Line, "label" | "tone" | "kind">> }) {
  return (
    <ul class="legend">
      {lines.map((line) => (
        <li key={line.label}>
          <i class={`dot tone-${line.tone} dot-${line.kind}`} />
          <span dir="auto">{line.label}</span>
        </li>
      ))}
    </ul>
  );
}
