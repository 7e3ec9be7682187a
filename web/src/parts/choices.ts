/** The values that a filter can take in a window, with how many queries each has. */

import type { Intents, Models, Quality, Stores, Timeseries } from "../api.ts";
import { isRecord } from "../guards.ts";

export type Choice = { value: string; text: string; count: number | null };

const ABSENT = "(none)";

/** Give the endpoint that knows the values of a filter; `null` where they are known beforehand. */
export function endpoint(name: string): { path: string; more: Record<string, string> } | null {
  if (name === "store") return { path: "stats/stores", more: { limit: "2000" } };
  if (name === "intent") return { path: "stats/intents", more: { limit: "500" } };
  if (name === "model") return { path: "stats/models", more: { limit: "200" } };
  if (name === "reason") return { path: "stats/quality", more: { step: "month" } };
  if (name === "action")
    return { path: "stats/timeseries", more: { metric: "queries", split: "action", top: "50", step: "month" } };
  return null;
}

/** Give the values that are known beforehand. */
export function fixed(name: string): Choice[] {
  const values =
    name === "label" ? ["GOOD", "REVIEW", "BAD", ABSENT] : name === "source" ? ["voice", "text", "test"] : [];
  return values.map((value) => ({ value, text: value === ABSENT ? "Unlabelled" : value, count: null }));
}

/** Read the values out of the endpoint's answer. */
export function choices(name: string, answer: unknown): Choice[] {
  if (name === "store") return listed(answer as Stores, (row) => row.storeId);
  if (name === "intent") return listed(answer as Intents, (row) => row.intent);
  if (name === "model") return listed(answer as Models, (row) => row.modelName);
  if (name === "reason") return reasons(answer as Quality);
  return name === "action" && isRecord(answer) ? series(answer as Timeseries) : [];
}

function choice(value: string | null, count: number): Choice {
  return value === null ? { value: ABSENT, text: "None", count } : { value, text: value, count };
}

function listed<Row extends { queries: number }>(rows: Row[], value: (row: Row) => string | null): Choice[] {
  return rows.map((row) => choice(value(row), row.queries));
}

function reasons(answer: Quality): Choice[] {
  const counts = new Map<string, number>();
  for (const { reason, count } of answer.reasons) if (reason) counts.set(reason, (counts.get(reason) ?? 0) + count);
  return [...counts].map(([reason, count]) => choice(reason, count));
}

function series(answer: Timeseries): Choice[] {
  return answer.series
    .filter((one) => !one.other)
    .map((one) =>
      choice(
        one.split ?? null,
        one.points.reduce((sum, point) => sum + Number(point.queries ?? 0), 0),
      ),
    );
}
