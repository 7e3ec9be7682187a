/** What people label, and what the judge cost: the endpoints' answers, and the labels that are on their way there. */

import { type Interaction, post, type Verdict } from "./api.ts";
import type { Label } from "./words.ts";

export type QueueItem = {
  interaction: Interaction;
  verdict: Verdict;
  score: number;
  doubt: number;
  occurrences: number;
  place: number;
  why: string[];
};
export type Queue = { reviewer: string; leasedUntil: number; waiting: number; items: QueueItem[] };

type Spending = {
  calls: number;
  answered: number;
  failures: Record<string, number>;
  failureRate: number | null;
  tokensPrompt: number;
  tokensCompletion: number;
  costUsd: number | null;
  unpricedCalls: number;
  costPerLabelUsd: number | null;
  latencyMs: { p50: number; p95: number; p99: number; mean: number } | null;
};
export type JudgeCalls = Spending & {
  byModel: Array<Spending & { model: string; rubric: string }>;
  queue: { due: number; waiting: number; failed: number; oldestAgeMs: number | null } | null;
  today: { spentUsd: number; budgetUsd: number | null; resetsAt: number } | null;
};

const WHY: Record<string, string> = {
  review: "the machine couldn’t decide",
  unsure: "the machine wasn’t sure",
  disputed: "called good, but the shopper said it again",
  frequent: "many say this",
};

/** Say why an interaction is worth a look. */
export function why(codes: readonly string[]): string {
  return codes.map((code) => WHY[code] ?? code.replaceAll("_", " ")).join(", ");
}

/** What was decided of an item; `sent` once the server has it. */
export type Decision = { item: QueueItem; label: Label; sent: boolean };

/** Send a person's label. */
export async function label(id: string, given: Label, reviewer: string): Promise<void> {
  await post(`evaluations/${encodeURIComponent(id)}`, { label: given, reviewer });
}

const KEY = "aura-reviewer";

/** Give the name that this browser reviews as. */
export function reviewer(): string {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

/** Keep the name; a browser that keeps nothing for us asks again. */
export function setReviewer(name: string): void {
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // It then lasts as long as the page.
  }
}
