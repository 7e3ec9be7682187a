import assert from "node:assert/strict";
import { test } from "node:test";
import { isCompared, question, scope } from "../src/asking.ts";
import { dayOf, edge, length, moment, named, stepOf } from "../src/period.ts";

const NOW = Date.UTC(2026, 0, 31, 12);
const asked = (text: string) => new URLSearchParams(text);

for (const [text, step] of [
  ["period=1h", "minute"],
  ["period=24h", "hour"],
  ["period=7d", "day"],
  ["", "day"],
  ["period=90d", "day"],
  ["period=365d", "week"],
  ["period=3650d", "month"],
  ["period=all", "day"],
  ["from=2026-01-31T10:00:00Z&to=2026-01-31T11:00:00Z", "minute"],
  ["from=2026-01-30T10:00:00Z", "hour"],
] as const)
  test(`steps of ${text || "the default"}`, () => assert.equal(stepOf(asked(text), NOW), step));

test("a window has a length, if it has a beginning", () => {
  assert.equal(length(asked("period=24h"), NOW), 86_400_000);
  assert.equal(length(asked("period=all"), NOW), null);
  assert.equal(length(asked("to=5"), NOW), null);
  assert.equal(length(asked("from=1000&to=3000"), NOW), 2_000);
  assert.equal(length(asked("from=3000&to=1000"), NOW), 0);
});

test("moments are read as the API reads them", () => {
  assert.equal(moment("1700000000000"), 1_700_000_000_000);
  assert.equal(moment("2026-01-31T12:00:00Z"), NOW);
  assert.equal(moment("soon"), null);
  assert.equal(moment(null), null);
});

test("a day of the calendar goes from its first to its last moment", () => {
  const [first, last] = [edge("2026-01-31", false), edge("2026-01-31", true)];
  assert.ok(first && last);
  assert.equal(dayOf(Date.parse(first)), "2026-01-31");
  assert.equal(dayOf(Date.parse(last)), "2026-01-31");
  assert.equal(Date.parse(last) - Date.parse(first) + 1, 86_400_000);
  assert.equal(edge("nonsense", false), null);
});

test("windows have names", () => {
  assert.equal(named(asked("period=7d")), "Last 7 days");
  assert.equal(named(asked("period=3h")), "Last 3h");
  assert.match(named(asked("from=0")), /1970 – now$|1969 – now$|now$/);
});

test("only the scope, and what is asked for, goes to the API", () => {
  assert.equal(scope(asked("metric=cost&label=BAD&label=REVIEW")).toString(), "period=7d&label=BAD&label=REVIEW");
  assert.equal(scope(asked("from=1&period=24h&open=x")).toString(), "from=1");
  assert.equal(question("stats/x", asked("text="), { limit: 3, compare: null }), "stats/x?period=7d&limit=3");
});

test("only a window with a beginning is compared", () => {
  assert.equal(isCompared(asked("")), true);
  assert.equal(isCompared(asked("compare=none")), false);
  assert.equal(isCompared(asked("period=all")), false);
  assert.equal(isCompared(asked("to=5")), false);
  assert.equal(isCompared(asked("from=1&to=5")), true);
});
