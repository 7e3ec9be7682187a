import assert from "node:assert/strict";
import { test } from "node:test";
import { advice } from "../src/advice.ts";
import type { Causes, Demand } from "../src/api.ts";

const causes = (counts: Record<string, number>) =>
  ({ causes: Object.entries(counts).map(([cause, count]) => ({ cause, count, share: 0, rate: 0 })) }) as Causes;
const topic = (name: string, volume: number, more: Partial<Demand["topics"][number]> = {}) => ({
  ...{ name, volume, texts: 1, earlier: 1, later: 3, trend: 2, stores: [{ storeId: "a", count: 1 }], moneyAtStake: [] },
  ...{ reasons: { needs_review: 3, action_failed: 2 }, examples: [{ queryText: `${name}?`, count: 1 }] },
  ...more,
});
const demand = (...topics: Array<ReturnType<typeof topic>>) => ({ topics }) as Demand;

test("what is about the most interactions comes first", () => {
  const found = advice(causes({ heard_wrong: 5, too_slow: 9 }), demand(topic("gift wrapping", 7)));
  assert.deepEqual(
    found.map((one) => one.key),
    ["too_slow", "topic gift wrapping", "heard_wrong"],
  );
});

test("a topic says how often, why, where to, and leads there", () => {
  const [found] = advice(null, demand(topic("gift wrapping", 7, { moneyAtStake: [{ currency: "EUR", value: 12 }] })));
  assert.equal(found?.why, "asked 7 times in vain, mostly: action failed, rising, about €12.00 at stake");
  assert.deepEqual(found?.show, { text: "gift wrapping?" });
});

test("one case is no reason to do anything, nor is a cause that nobody knows", () => {
  assert.deepEqual(advice(causes({ heard_wrong: 1, new_cause: 50 }), demand(topic("x", 1))), []);
  assert.deepEqual(advice(null, null), []);
});
