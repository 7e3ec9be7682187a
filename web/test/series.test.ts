import assert from "node:assert/strict";
import { test } from "node:test";
import type { Interaction, Summary, Timeseries } from "../src/api.ts";
import { figures } from "../src/figures.ts";
import { merged } from "../src/pages.ts";

const summary = (more: Partial<Summary>) =>
  ({
    ...{ totalQueries: 10, successfulQueries: 8, failedQueries: 1, unansweredRate: 0.1, p95LatencyMs: 900 },
    ...{ labels: { GOOD: 3, REVIEW: 1, BAD: 0 }, totalCostUsd: 1, uniqueSessions: 5, conversionRate: 0.2 },
    ...{ p50LatencyMs: 500, costPerSuccessfulQueryUsd: 0.125 },
    ...more,
  }) as Summary;
const series = {
  metrics: ["queries"],
  series: [
    {
      points: [
        { at: "x", queries: 4 },
        { at: "y", queries: null },
      ],
    },
  ],
};

test("a figure has its value, its course, and what has become of it", () => {
  const before = summary({ totalQueries: 20, successfulQueries: 8, p95LatencyMs: 1_200 });
  const all = figures({ ...summary({}), previous: before }, [series as unknown as Timeseries]);
  const by = Object.fromEntries(all.map((figure) => [figure.name, figure]));
  assert.deepEqual(by.Queries?.values, [4, null]);
  assert.deepEqual([by.Queries?.change, by.Queries?.tone], ["−50%", "same"]);
  assert.deepEqual([by["Success rate"]?.change, by["Success rate"]?.tone], ["+40 pts", "better"]);
  assert.deepEqual([by["Latency p95"]?.change, by["Latency p95"]?.tone], ["−25%", "better"]);
  assert.equal(by.Quality?.value, "75%");
});

test("where there was next to nothing before, nothing has changed", () => {
  const all = figures({ ...summary({}), previous: summary({ totalQueries: 9 }) }, []);
  assert.ok(all.every((figure) => figure.change === null && figure.tone === "same"));
});

test("new rows are told from those that are there, which take on what is known of them now", () => {
  const row = (id: string, label: string | null) => ({ id, label }) as Interaction;
  const rows = [row("b", null), row("a", "GOOD")];
  const [kept, added] = merged(rows, new Set(["a", "b"]), [row("c", null), row("b", "BAD")]);
  assert.deepEqual(kept, [row("b", "BAD"), row("a", "GOOD")]);
  assert.deepEqual(added, [row("c", null)]);
  assert.deepEqual(merged(rows, new Set(["a", "b"]), [row("c", null)]), [rows, [row("c", null)]]);
});
