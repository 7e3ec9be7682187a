/** How series are drawn: uPlot's options, and its data. */

import uPlot from "uplot";
import { tick } from "../format.ts";

/** `bar`: on top of the bars after it. `past`: a thin line for the window before. `tone`: a colour of the theme. */
export type Line = {
  label: string;
  values: ReadonlyArray<number | null>;
  kind: "bar" | "line" | "past";
  tone: string;
};

type Wanted = {
  at: readonly number[];
  lines: readonly Line[];
  height: number;
  width: number;
  colour: (name: string) => string;
  write: (value: number | null) => string;
  canZoom: boolean;
  onHover: (index: number | null, left: number) => void;
  onZoom: (from: number, to: number) => void;
};

/** Give the data: moments in seconds, then a list for each line. Bars are added up from the last one on. */
export function aligned(at: readonly number[], lines: readonly Line[]): uPlot.AlignedData {
  const below = at.map(() => 0);
  const columns: Array<Array<number | null>> = [];
  for (const line of [...lines].reverse()) {
    if (line.kind !== "bar") {
      columns.unshift(at.map((_, place) => line.values[place] ?? null));
      continue;
    }
    columns.unshift(
      at.map((_, place) => {
        below[place] = (below[place] ?? 0) + (line.values[place] ?? 0);
        return below[place] ?? 0;
      }),
    );
  }
  return [at.map((moment) => moment / 1_000), ...columns];
}

const HOUR = 3_600;
const DAY = 24 * HOUR;
/** How far marks under the axis may be apart, in seconds; never less than a step is long. */
const APART = [
  ...[60, 300, 600, 1_800, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR],
  ...[DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY, 91 * DAY, 182 * DAY, 364 * DAY, 1_820 * DAY],
];

/** Give how long a step is, in seconds; a day that the clocks are set in is shorter. */
function between({ at }: Wanted): number {
  const [first, second] = at;
  return first === undefined || second === undefined ? 0 : ((second - first) / 1_000) * 0.95;
}

const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

/** Give uPlot's options. */
export function options(wanted: Wanted): uPlot.Options {
  const { colour } = wanted;
  const hasBars = wanted.lines.some((line) => line.kind === "bar");
  const axis = { stroke: colour("muted"), font: FONT, ticks: { show: false }, grid: { show: false } };
  return {
    width: wanted.width,
    height: wanted.height,
    padding: [8, 24, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { show: !hasBars, size: 7 },
      drag: { x: wanted.canZoom, y: false, setScale: false },
    },
    scales: {
      x: { range: (_, low, high) => spread(wanted, low, high) },
      y: { range: (_, __, high) => [0, top(high)] },
    },
    axes: [
      {
        ...axis,
        space: 64,
        size: 28,
        incrs: APART.filter((apart) => apart >= between(wanted)),
        values: (_, splits, __, ___, apart) => splits.map((second) => tick(second * 1_000, apart)),
      },
      {
        ...axis,
        size: 52,
        gap: 6,
        space: 44,
        grid: { show: true, stroke: colour("line"), width: 1 },
        values: (_, splits) => splits.map((value) => wanted.write(value)),
      },
    ],
    series: [{}, ...wanted.lines.map((line, place) => drawn(line, colour, place === 0))],
    hooks: { setCursor: [(plot) => hover(plot, wanted)], setSelect: [(plot) => select(plot, wanted)] },
  };
}

function drawn(line: Line, colour: (name: string) => string, isTop: boolean): uPlot.Series {
  const stroke = colour(`tone-${line.tone}`) || colour("accent");
  if (line.kind === "bar") {
    const bars = uPlot.paths.bars?.({ size: [0.72, 40], radius: [isTop ? 0.08 : 0, 0] });
    return {
      label: line.label,
      fill: stroke,
      stroke,
      width: 0,
      points: { show: false },
      ...(bars ? { paths: bars } : {}),
    };
  }
  if (line.kind === "past")
    return { label: line.label, stroke: colour("muted"), width: 1.25, dash: [3, 4], points: { show: false } };
  return {
    label: line.label,
    stroke,
    width: 1.75,
    spanGaps: false,
    points: { show: true, size: 5, fill: stroke, filter: alone },
  };
}

/** Give the places of values without neighbours: no line leads to them, so they are dots. */
function alone(plot: uPlot, series: number): number[] {
  const values = plot.data[series] ?? [];
  const isThere = (place: number) => values[place] !== null && values[place] !== undefined;
  return [...values.keys()].filter((place) => isThere(place) && !isThere(place - 1) && !isThere(place + 1));
}

/** Leave room for half a bar on either side, and for half a mark beside a line's ends. */
function spread(wanted: Wanted, low: number, high: number): [number, number] {
  if (low === null || high === null) return [0, 1];
  const steps = Math.max(1, (wanted.lines[0]?.values.length ?? 1) - 1);
  const half = wanted.lines.some((line) => line.kind === "bar")
    ? (high - low || 86_400) / steps / 2
    : (high - low) * 0.03;
  return low === high ? [low - 43_200, high + 43_200] : [low - half, high + half];
}

function top(high: number | null): number {
  return high === null || high <= 0 ? 1 : high * 1.08;
}

function hover(plot: uPlot, wanted: Wanted): void {
  const { idx, left } = plot.cursor;
  if (idx == null || left == null || left < 0) wanted.onHover(null, 0);
  else wanted.onHover(idx, left + plot.bbox.left / devicePixelRatio);
}

function select(plot: uPlot, wanted: Wanted): void {
  const { left, width } = plot.select;
  if (width < 8) return;
  const [from, to] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  wanted.onZoom(Math.round(from * 1_000), Math.round(to * 1_000));
}
