/** A list that is fetched page by page, and to which new rows come while it is looked at. */

import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { asProblem, get, type Interaction, type Page, type Problem } from "./api.ts";
import { useLive } from "./live.ts";

const PAGE_ROWS = 500;
/** How many new ones are asked for; if so many came, there may be more of them. */
export const NEWEST_ROWS = 100;
/** How long a server that doesn't answer is left alone. */
const PAUSE_S = 3;

export type Listed = {
  rows: Interaction[];
  /** New ones that aren't in the list yet. */
  fresh: readonly Interaction[];
  isWhole: boolean;
  isLoading: boolean;
  problem: Problem | null;
};

/** How far one question has come; `left` is aborted when another one is asked. */
type Course = {
  question: string;
  cursor: string | null;
  isBusy: boolean;
  isWhole: boolean;
  known: Set<string>;
  left: AbortController;
};

const course = (question: string): Course => ({
  ...{ question, cursor: null, isBusy: false, isWhole: false },
  ...{ known: new Set<string>(), left: new AbortController() },
});
const nothing = (): Listed => ({ rows: [], fresh: [], isWhole: false, isLoading: true, problem: null });

/**
 * Put what is known newly of some rows in their places, and give those that are new.
 *
 * @param known the ids of `rows`: the newest are at the top, so that a hundred thousand aren't looked through for one that
 *   isn't among them
 */
export function merged(
  rows: Interaction[],
  known: ReadonlySet<string>,
  newest: readonly Interaction[],
): [Interaction[], Interaction[]] {
  const sought = new Map(newest.map((row) => [row.id, row]));
  const fresh = newest.filter((row) => !known.has(row.id));
  for (const row of fresh) sought.delete(row.id);
  if (sought.size === 0) return [rows, fresh];
  const kept = rows.slice();
  for (let place = 0; place < kept.length && sought.size > 0; place += 1) {
    const id = kept[place]?.id ?? "";
    const found = sought.get(id);
    if (found) kept[place] = found;
    sought.delete(id);
  }
  return [kept, fresh];
}

/** Put a page at the end, in place: a list of a hundred thousand isn't copied for each further page. */
function appended(before: Listed, page: Page): Listed {
  before.rows.push(...page.interactions);
  return { ...before, isWhole: page.nextCursor === null, isLoading: false, problem: null };
}

/**
 * Follow a list.
 *
 * @param question the endpoint with its parameters, but for `limit` and `cursor`
 * @param isNewestFirst whether what comes in belongs at the top
 */
export function usePages(question: string, isNewestFirst: boolean): Listed & { more: () => void; take: () => void } {
  const { pulse } = useLive();
  const [listed, setListed] = useState<Listed>(nothing);
  const state = useRef<Course>(course(""));

  const more = useCallback(() => {
    const at = state.current;
    if (at.question === "" || at.isBusy || at.isWhole) return;
    at.isBusy = true;
    const cursor = at.cursor === null ? "" : `&cursor=${encodeURIComponent(at.cursor)}`;
    get<Page>(`${at.question}&limit=${PAGE_ROWS}${cursor}`, at.left.signal)
      .then((page) => {
        if (state.current !== at) return;
        at.cursor = page.nextCursor;
        at.isWhole = page.nextCursor === null;
        at.isBusy = false;
        for (const row of page.interactions) at.known.add(row.id);
        setListed((before) => appended(before, page));
      })
      .catch((error: unknown) => {
        if (state.current !== at || at.left.signal.aborted) return;
        at.isBusy = false;
        const problem = asProblem(error);
        setListed((before) => ({ ...before, isLoading: false, problem }));
        const pauseS = problem.retryAfterS ?? (problem.status === 0 ? PAUSE_S : null);
        if (pauseS !== null) setTimeout(() => state.current === at && more(), pauseS * 1_000);
      });
  }, []);

  const begin = useCallback(() => {
    state.current.left.abort();
    state.current = course(question);
    setListed(nothing());
    more();
  }, [question, more]);
  useLayoutEffect(() => {
    begin();
    return () => state.current.left.abort();
  }, [begin]);

  const asked = useRef(pulse);
  useEffect(() => {
    if (asked.current === pulse) return;
    asked.current = pulse;
    const at = state.current;
    // Where the first page failed, there is nothing yet that something newer could be put beside.
    if (at.known.size === 0 && !at.isWhole) return more();
    get<Page>(`${question}&limit=${NEWEST_ROWS}`, at.left.signal).then(
      (page) => {
        if (state.current !== at) return;
        setListed((before) => {
          const [rows, added] = merged(before.rows, at.known, page.interactions);
          return { ...before, rows, fresh: isNewestFirst ? added : [], problem: null };
        });
      },
      () => undefined, // the next beat asks again
    );
  }, [pulse, question, isNewestFirst, more]);

  const { fresh } = listed;
  const take = useCallback(() => {
    // More may have come than was asked for: put on top, they would leave a gap.
    if (fresh.length >= NEWEST_ROWS) return begin();
    for (const row of fresh) state.current.known.add(row.id);
    setListed((before) => ({ ...before, rows: [...fresh, ...before.rows], fresh: [] }));
  }, [fresh, begin]);
  return { ...listed, more, take };
}
