import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, amount, change, count, dollars, duration, NOTHING, share } from "../src/format.ts";

test("counts are short where they are large", () => {
  assert.equal(count(0), "0");
  assert.equal(count(99_999), "99,999");
  assert.equal(count(1_234_567), "1.2M");
  assert.equal(count(null), NOTHING);
});

test("durations have the unit that people would use", () => {
  assert.equal(duration(66), "66 ms");
  assert.equal(duration(1_677), "1.7 s");
  assert.equal(duration(11_396), "11 s");
  assert.equal(duration(135_000), "2 min");
  assert.equal(duration(3 * 86_400_000), "3 days");
  assert.equal(duration(undefined), NOTHING);
});

test("the smaller the sum, the more of its digits count", () => {
  assert.equal(dollars(0), "$0.00");
  assert.equal(dollars(0.00059), "$0.00059");
  assert.equal(dollars(0.18253), "$0.183");
  assert.equal(dollars(1234.5), "$1,234.50");
});

test("an amount has its currency, whatever an event named", () => {
  assert.equal(amount(71.43, "EUR"), "€71.43");
  assert.equal(amount(3, "<script>"), "3 <script>");
  assert.equal(amount(3, null), "3");
});

test("a share changes by points, a count by a part of it", () => {
  assert.equal(change(0.75, 0.7, true), "+5 pts");
  assert.equal(change(90, 100, false), "−10%");
  assert.equal(change(5, 0, false), null);
  assert.equal(change(5, null, false), null);
  assert.equal(change(0.7, 0.7, true), "±0 pts");
});

test("shares and times ago", () => {
  assert.equal(share(0.345), "34.5%");
  assert.equal(ago(0, 30_000), "just now");
  assert.equal(ago(0, 3_540_000), "59 min ago");
  assert.equal(ago(0, 86_400_000), "yesterday");
  assert.equal(ago(5, 0), "just now");
});
