/** A person's sitting: items one after the other, each labelled, skipped, or taken back. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { asProblem, get, type Problem, type Queue, type QueueItem } from "./api.ts";
import { type Decision, label, takeBack } from "./reviewing.ts";
import type { Label } from "./words.ts";

const FETCHED = 20;
const FEW = 5;

export type Sitting = {
  items: QueueItem[];
  done: Decision[];
  waiting: number | null;
  problem: Problem | null;
  isLoading: boolean;
};

const BEGIN: Sitting = { items: [], done: [], waiting: null, problem: null, isLoading: true };

/** Put further items after those that are there; none comes twice in a sitting. */
export function joined(before: Sitting, queue: Queue): Sitting {
  const known = new Set([...before.items, ...before.done.map((one) => one.item)].map((item) => item.interaction.id));
  const added = queue.items.filter((item) => !known.has(item.interaction.id));
  return { ...before, items: [...before.items, ...added], waiting: queue.waiting, problem: null, isLoading: false };
}

/** Take a decision back: its item is the next one again. */
export function undone(before: Sitting, decision: Decision): Sitting {
  const done = before.done.filter((one) => one.item !== decision.item);
  return done.length === before.done.length ? before : { ...before, done, items: [decision.item, ...before.items] };
}

/** Decide about the first item. */
export function decided(before: Sitting, given: Label): Sitting {
  const [item, ...items] = before.items;
  return item ? { ...before, items, done: [...before.done, { item, label: given, saved: null }] } : before;
}

/** Note that the server has what was decided of an item. */
export function saved(before: Sitting, item: QueueItem, moment: number): Sitting {
  return { ...before, done: before.done.map((one) => (one.item === item ? { ...one, saved: moment } : one)) };
}

/** How many of a sitting's labels are the machine's as well. */
export function agreeing({ done }: Sitting): number {
  return done.filter((one) => one.label === one.item.verdict.label).length;
}

/** Hold a sitting; `question` is the queue's, without a limit. */
export function useSitting(question: string, reviewer: string) {
  // What is decided holds at once: the next key may be pressed before the page is drawn anew.
  const now = useRef<Sitting>(BEGIN);
  const [sitting, show] = useState<Sitting>(BEGIN);
  const change = useCallback((to: (before: Sitting) => Sitting) => {
    now.current = to(now.current);
    show(now.current);
  }, []);
  const asked = useRef("");
  // What is sent goes one after the other, so that a label never overtakes its being taken back.
  const last = useRef<Promise<unknown>>(Promise.resolve());
  const moments = useRef(new Map<QueueItem, number>());

  const fetchMore = useCallback(() => {
    if (!reviewer) return;
    const path = `${question}&limit=${FETCHED}&reviewer=${encodeURIComponent(reviewer)}`;
    asked.current = path;
    get<Queue>(path).then(
      (queue) => asked.current === path && change((before) => joined(before, queue)),
      (error: unknown) => change((before) => ({ ...before, problem: asProblem(error), isLoading: false })),
    );
  }, [question, reviewer, change]);

  useEffect(() => {
    change(() => BEGIN);
    fetchMore();
  }, [fetchMore, change]);

  const inTurn = (send: () => Promise<void>, onFailure: (before: Sitting) => Sitting) => {
    last.current = last.current.then(send).catch((error: unknown) => {
      change((before) => ({ ...onFailure(before), problem: asProblem(error) }));
    });
  };
  const decide = (given: Label) => {
    const [item] = now.current.items;
    if (!item) return;
    change((before) => decided({ ...before, problem: null }, given));
    const decision: Decision = { item, label: given, saved: null };
    inTurn(
      async () => {
        const moment = await label(item.interaction.id, given, reviewer);
        moments.current.set(item, moment);
        change((before) => saved(before, item, moment));
      },
      (before) => undone(before, decision),
    );
    if (now.current.items.length <= FEW) fetchMore();
  };
  const skip = () => {
    change((before) => ({ ...before, items: before.items.slice(1) }));
    if (now.current.items.length <= FEW) fetchMore();
  };
  const undo = () => {
    const decision = now.current.done.at(-1);
    if (!decision) return;
    change((before) => undone(before, decision));
    const { item } = decision;
    inTurn(
      async () => {
        const moment = moments.current.get(item);
        moments.current.delete(item);
        if (moment !== undefined) await takeBack(item.interaction.id, moment);
      },
      (before) => before,
    );
  };
  return { ...sitting, decide, skip, undo, fetchMore };
}
