/** What people label, and taking it back. */

import { type Labelled, Problem, post, type QueueItem, remove } from "./api.ts";
import type { Label } from "./words.ts";

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

/** What was decided of an item; `saved` is the moment of the label once the server has it. */
export type Decision = { item: QueueItem; label: Label; saved: number | null };

/** Send a person's label; give the moment that it bears. */
export async function label(id: string, given: Label, reviewer: string): Promise<number> {
  const answer = await post<Labelled>(path(id), { label: given, reviewer });
  return answer.evaluatedAt;
}

/** Take the label of a moment back. Where somebody has said something else since, there is nothing to take back. */
export async function takeBack(id: string, givenAt: number): Promise<void> {
  try {
    await remove(`${path(id)}?givenAt=${givenAt}`);
  } catch (error) {
    if (!(error instanceof Problem && error.status === 404)) throw error;
  }
}

function path(id: string): string {
  return `evaluations/${encodeURIComponent(id)}`;
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
