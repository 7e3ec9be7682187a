/** A person's sitting: items one after the other, each labelled, skipped, or taken back. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { get, Problem } from "./api.ts";
import { type Decision, label, type Queue, type QueueItem } from "./reviewing.ts";
import type { Label } from "./words.ts";

const FETCHED = 20;
const FEW = 5;
/** So long a label can be taken back before it is sent. */
const HELD_MS = 4_000;

export type Sitting = {
  items: QueueItem[];
  done: Decision[];
  waiting: number | null;
  problem: Problem | null;
  isLoading: boolean;
};

const BEGIN: Sitting = { items: [], done: [], waiting: null, problem: null, isLoading: true };

function asProblem(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem(0, "bug", "The page couldn’t read the answer.");
}

/** Put further items after those that are there; none comes twice in a sitting. */
export function joined(before: Sitting, queue: Queue): Sitting {
  const known = new Set([...before.items, ...before.done.map((one) => one.item)].map((item) => item.interaction.id));
  const added = queue.items.filter((item) => !known.has(item.interaction.id));
  return { ...before, items: [...before.items, ...added], waiting: queue.waiting, problem: null, isLoading: false };
}

/** Take the last decision back: its item is the next one again. */
export function undone(before: Sitting): Sitting {
  const last = before.done.at(-1);
  return last ? { ...before, items: [last.item, ...before.items], done: before.done.slice(0, -1) } : before;
}

/** Decide about the first item. */
export function decided(before: Sitting, given: Label): Sitting {
  const [item, ...items] = before.items;
  return item ? { ...before, items, done: [...before.done, { item, label: given, sent: false }] } : before;
}

/** Hold a sitting; `question` is the queue's, without a limit. */
export function useSitting(question: string, reviewer: string) {
  const [sitting, setSitting] = useState<Sitting>(BEGIN);
  const held = useRef<{ decision: Decision; timer: ReturnType<typeof setTimeout> } | null>(null);
  const asked = useRef("");

  const fetchMore = useCallback(() => {
    if (!reviewer) return;
    const path = `${question}&limit=${FETCHED}&reviewer=${encodeURIComponent(reviewer)}`;
    asked.current = path;
    get<Queue>(path).then(
      (queue) => asked.current === path && setSitting((before) => joined(before, queue)),
      (error: unknown) => setSitting((before) => ({ ...before, problem: asProblem(error), isLoading: false })),
    );
  }, [question, reviewer]);

  const send = useCallback(() => {
    const waiting = held.current;
    if (!waiting) return;
    clearTimeout(waiting.timer);
    held.current = null;
    const { item, label: given } = waiting.decision;
    label(item.interaction.id, given, reviewer).then(
      () =>
        setSitting((before) => ({
          ...before,
          done: before.done.map((one) => (one.item === item ? { ...one, sent: true } : one)),
        })),
      (error: unknown) =>
        setSitting((before) => ({
          ...before,
          problem: asProblem(error),
          done: before.done.filter((one) => one.item !== item),
          items: [item, ...before.items],
        })),
    );
  }, [reviewer]);

  useEffect(() => {
    setSitting(BEGIN);
    fetchMore();
  }, [fetchMore]);
  useEffect(() => {
    addEventListener("pagehide", send);
    return () => {
      removeEventListener("pagehide", send);
      send();
    };
  }, [send]);

  const decide = (given: Label) => {
    send();
    const [item] = sitting.items;
    if (!item) return;
    held.current = { decision: { item, label: given, sent: false }, timer: setTimeout(send, HELD_MS) };
    setSitting((before) => decided(before, given));
    if (sitting.items.length <= FEW) fetchMore();
  };
  const skip = () => {
    setSitting((before) => ({ ...before, items: before.items.slice(1) }));
    if (sitting.items.length <= FEW) fetchMore();
  };
  const undo = () => {
    if (held.current) clearTimeout(held.current.timer);
    held.current = null;
    setSitting(undone);
  };
  return { ...sitting, decide, skip, undo, fetchMore };
}
