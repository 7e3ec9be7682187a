/** An endpoint's answer, kept while a newer one is fetched. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { asProblem, get, type Problem } from "./api.ts";
import { useLive } from "./live.ts";

/** `stale`: the data belong to another question than the one that is asked now. */
export type Resource<Answer> = {
  data: Answer | null;
  problem: Problem | null;
  isLoading: boolean;
  isStale: boolean;
};

const MOST_KEPT = 60;
const kept = new Map<string, unknown>();

/** Forget what was answered: somebody else may see other things. */
export function forget(): void {
  kept.clear();
}

function keep(path: string, answer: unknown): void {
  kept.delete(path);
  kept.set(path, answer);
  const oldest = kept.keys().next();
  if (kept.size > MOST_KEPT && !oldest.done) kept.delete(oldest.value);
}

type Held<Answer> = { path: string | null; data: Answer | null; problem: Problem | null };

/** Asks for one path as often as it is told to, one request at a time; `stop` ends it. */
function asker<Answer>(path: string, tell: (held: (before: Held<Answer>) => Held<Answer>) => void) {
  const stopped = new AbortController();
  let isBusy = false;
  let isAskedAgain = false;
  let later: ReturnType<typeof setTimeout> | undefined;

  const ask = async () => {
    clearTimeout(later);
    isAskedAgain = isBusy;
    if (isBusy) return;
    isBusy = true;
    try {
      const data = await get<Answer>(path, stopped.signal);
      keep(path, data);
      if (!stopped.signal.aborted) tell(() => ({ path, data, problem: null }));
    } catch (error) {
      if (stopped.signal.aborted) return;
      const problem = asProblem(error);
      tell((before) => ({ path, data: before.path === path ? before.data : null, problem }));
      const isPassing = problem.retryAfterS !== null || problem.status === 0;
      if (isPassing) later = setTimeout(ask, (problem.retryAfterS ?? 3) * 1_000);
    } finally {
      isBusy = false;
      if (isAskedAgain && !stopped.signal.aborted) void ask();
    }
  };
  const stop = () => {
    stopped.abort();
    clearTimeout(later);
  };
  return { ask, stop };
}

/** Follow an endpoint; `null` asks nothing. What was asked before is shown at once, and asked again. */
export function useResource<Answer>(path: string | null): Resource<Answer> {
  const { pulse } = useLive();
  const [held, setHeld] = useState<Held<Answer>>({ path: null, data: null, problem: null });
  const current = useRef<ReturnType<typeof asker<Answer>> | null>(null);
  const asked = useRef(pulse);

  // Before anything is painted: the server is at it while the browser draws, and not only afterwards.
  useLayoutEffect(() => {
    if (path === null) return;
    if (kept.has(path)) setHeld({ path, data: kept.get(path) as Answer, problem: null });
    const made = asker<Answer>(path, setHeld);
    current.current = made;
    void made.ask();
    return () => {
      made.stop();
      current.current = null;
    };
  }, [path]);

  useEffect(() => {
    if (asked.current === pulse) return;
    asked.current = pulse;
    void current.current?.ask();
  }, [pulse]);

  const isCurrent = held.path === path;
  return {
    data: path === null ? null : held.data,
    problem: isCurrent ? held.problem : null,
    isLoading: path !== null && !(isCurrent && (held.data !== null || held.problem !== null)),
    isStale: !isCurrent && held.data !== null,
  };
}
