/** What to do next, the most worth it first: made of what broke, and of what was asked for in vain. */

import type { Causes, Demand } from "./api.ts";
import { amount, count } from "./format.ts";
import type { Changes } from "./route.ts";
import { reason } from "./words.ts";

export type Advice = {
  key: string;
  title: string;
  /** What shoppers said, if it is about that. */
  said: string | null;
  why: string;
  /** How many interactions it is about. */
  weight: number;
  /** Where these interactions are. */
  show: Changes;
};

const LEAST = 2;
const MOST = 6;
const MOST_TOPICS = 4;
const UNABLE = new Set(["error", "action_failed", "no_response", "slow_response"]);

const OF_CAUSE: Record<string, { title: string; why: string; show: Changes }> = {
  heard_wrong: {
    title: "Tell the recogniser which words to expect",
    why: "heard wrong, or with little confidence",
    show: { confidence_max: "0.8" },
  },
  understood_wrong: {
    title: "Teach the assistant what it didn’t understand",
    why: "heard well, but ended in a fallback or an unknown intent",
    show: { action: "FALLBACK" },
  },
  did_wrong: {
    title: "Mend the actions that fail",
    why: "understood, but the action failed",
    show: { reason: ["action_failed", "error_occurred", "failed_action"] },
  },
  too_slow: { title: "Make the slowest answers faster", why: "took over 8 seconds", show: { latency_min: "8000" } },
  no_answer: { title: "Find out where outcomes get lost", why: "never got an outcome", show: { model: "(none)" } },
  answered_badly: {
    title: "Read the answers that were labelled badly",
    why: "answered in time, but not well",
    show: { label: ["REVIEW", "BAD"] },
  },
};

/** Give what is most worth doing. Either may be missing. */
export function advice(causes: Causes | null, demand: Demand | null): Advice[] {
  const found = [...(demand?.topics ?? []).map(ofTopic).slice(0, MOST_TOPICS), ...(causes?.causes ?? []).map(ofCause)];
  return found
    .filter((one): one is Advice => one !== null && one.weight >= LEAST)
    .sort((a, b) => b.weight - a.weight)
    .slice(0, MOST);
}

function ofCause({ cause, count: times }: Causes["causes"][number]): Advice | null {
  const known = OF_CAUSE[cause];
  if (!known) return null;
  return { key: cause, ...known, said: null, why: `${count(times)} ${known.why}`, weight: times };
}

function ofTopic(topic: Demand["topics"][number]): Advice {
  const reasons = Object.entries(topic.reasons).sort(([, a], [, b]) => b - a);
  const first = reasons.find(([code]) => UNABLE.has(code))?.[0];
  const parts = [`asked ${count(topic.volume)} times in vain`];
  if (topic.stores.length > 1) parts.push(`in ${topic.stores.length} stores`);
  if (first) parts.push(`mostly: ${reason(first)}`);
  const trend = topic.later > topic.earlier ? "rising" : topic.later < topic.earlier ? "falling" : null;
  if (trend) parts.push(trend);
  const stake = topic.moneyAtStake?.[0];
  if (stake && stake.value >= 1) parts.push(`about ${amount(stake.value, stake.currency)} at stake`);
  return {
    key: `topic ${topic.name}`,
    title: "Give an answer to",
    said: topic.name,
    why: parts.join(", "),
    weight: topic.volume,
    show: { text: topic.examples[0]?.queryText ?? topic.name },
  };
}
