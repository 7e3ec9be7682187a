/** The figures at the top: what they are, which way is better, and what they were before. */

import type { Compared, Summary, Timeseries } from "./api.ts";
import { change, count, dollars, duration, share } from "./format.ts";

export type Figure = {
  name: string;
  value: string;
  /** What else there is to say in a few words. */
  aside: string | null;
  change: string | null;
  tone: "better" | "worse" | "same";
  values: Array<number | null>;
  metric: string;
};

type Definition = {
  name: string;
  metric: string;
  write: (value: number | null) => string;
  isShare?: boolean;
  /** Whether more of it is better: 1, worse: -1, or neither: 0. */
  better: 1 | 0 | -1;
  of: (summary: Summary) => number | null;
  aside?: (summary: Summary) => string | null;
};

const ratio = (part: number, whole: number) => (whole > 0 ? part / whole : null);

/** The share of GOOD among what is labelled. */
export function quality({ labels }: Summary): number | null {
  return ratio(labels.GOOD ?? 0, (labels.GOOD ?? 0) + (labels.REVIEW ?? 0) + (labels.BAD ?? 0));
}

const DEFINITIONS: readonly Definition[] = [
  {
    name: "Queries",
    metric: "queries",
    write: count,
    better: 0,
    of: (summary) => summary.totalQueries,
  },
  {
    name: "Success rate",
    metric: "success_rate",
    write: share,
    isShare: true,
    better: 1,
    of: (summary) => ratio(summary.successfulQueries, summary.totalQueries),
    aside: (summary) => `${count(summary.failedQueries)} failed`,
  },
  {
    name: "Unanswered",
    metric: "unanswered_rate",
    write: share,
    isShare: true,
    better: -1,
    of: (summary) => (summary.totalQueries ? summary.unansweredRate : null),
    aside: (summary) => `${count(Math.round(summary.unansweredRate * summary.totalQueries))} queries`,
  },
  {
    name: "Quality",
    metric: "quality",
    write: share,
    isShare: true,
    better: 1,
    of: quality,
    aside: (summary) => `${count(summary.labels.BAD ?? 0)} bad`,
  },
  {
    name: "Latency p95",
    metric: "latency_p95",
    write: duration,
    better: -1,
    of: (summary) => summary.p95LatencyMs,
    aside: (summary) => `half within ${duration(summary.p50LatencyMs)}`,
  },
  {
    name: "Cost",
    metric: "cost",
    write: dollars,
    better: 0,
    of: (summary) => summary.totalCostUsd,
    aside: (summary) =>
      summary.costPerSuccessfulQueryUsd === null ? null : `${dollars(summary.costPerSuccessfulQueryUsd)} a success`,
  },
  {
    name: "Sessions",
    metric: "sessions",
    write: count,
    better: 0,
    of: (summary) => summary.uniqueSessions,
  },
  {
    name: "Conversions",
    metric: "conversion_rate",
    write: share,
    isShare: true,
    better: 1,
    of: (summary) => (summary.totalQueries ? summary.conversionRate : null),
    aside: () => "of queries",
  },
];

/** Fewer queries than this are no base to speak of changes on. */
const COMPARABLE = 10;

/** What the figures are called, in their order. */
export const NAMES = DEFINITIONS.map((definition) => definition.name);

/** The metrics that the figures' lines are drawn from. */
export const DRAWN = DEFINITIONS.map((definition) => definition.metric);

/** Give the figures of a summary, with their courses where those are known. */
export function figures(summary: Compared<Summary>, series: readonly Timeseries[]): Figure[] {
  const before = (summary.previous?.totalQueries ?? 0) >= COMPARABLE ? summary.previous : null;
  return DEFINITIONS.map((definition) => {
    const now = definition.of(summary);
    const then = before ? definition.of(before) : null;
    return {
      name: definition.name,
      value: definition.write(now),
      aside: definition.aside?.(summary) ?? null,
      change: change(now, then, definition.isShare ?? false),
      tone: tone(now, then, definition.better),
      values: values(series, definition.metric),
      metric: definition.metric,
    };
  });
}

function tone(now: number | null, then: number | null, better: 1 | 0 | -1): Figure["tone"] {
  if (now === null || then === null || better === 0 || now === then) return "same";
  return Math.sign(now - then) === better ? "better" : "worse";
}

/** Give a metric's course out of whichever series has it. */
export function values(series: readonly Timeseries[], metric: string): Array<number | null> {
  const points = series.find(({ metrics }) => metrics.includes(metric))?.series[0]?.points ?? [];
  return points.map((point) => numberOrNull(point[metric]));
}

/** Give when the steps of a series begin. */
export function moments(series: Timeseries | null): number[] {
  return (series?.series[0]?.points ?? []).map((point) => Date.parse(String(point.at)));
}

export function numberOrNull(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}
