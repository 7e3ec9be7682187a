import assert from "node:assert/strict";
import { test } from "node:test";
import { carried, changed, href, read } from "../src/route.ts";

test("an address is read, and written as it was", () => {
  const { view, search } = read("/some/where/explore", "?period=7d&intent=a&intent=b");
  assert.equal(view, "explore");
  assert.equal(href(view, search), "explore?period=7d&intent=a&intent=b");
});

test("the root, and what nobody knows, is the overview", () => {
  assert.equal(read("/", "").view, "overview");
  assert.equal(read("/nix", "").view, "overview");
  assert.equal(href("overview", new URLSearchParams()), "./");
});

test("changes replace, take several values, and take away", () => {
  const before = new URLSearchParams("store=a&store=b&period=7d");
  assert.equal(changed(before, { store: ["c", "d"] }).toString(), "period=7d&store=c&store=d");
  assert.equal(changed(before, { store: null }).toString(), "period=7d");
  assert.equal(changed(before, { store: [] }).toString(), "period=7d");
  assert.equal(before.toString(), "store=a&store=b&period=7d");
});

test("the scope goes along to another view, what is one view's stays behind", () => {
  const kept = carried(new URLSearchParams("period=7d&metric=cost&label=BAD&open=x&sort=latency"));
  assert.equal(kept.toString(), "period=7d&label=BAD");
});
