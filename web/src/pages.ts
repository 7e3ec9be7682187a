/** A list that is fetched page by page, and to which new rows come while it is looked at. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { asProblem, get, type Interaction, type Page, type Problem } from "./api.ts";
import { useLive } from "./live.ts";

const PAGE_ROWS = 500;
const NEWEST_ROWS = 100;

export type Listed = {
  rows: Interaction[];
  /** New ones that aren't in the list yet. */
  fresh: readonly Interaction[];
  isWhole: boolean;
  isLoading: boolean;
  problem: Problem | null;
};

const nothing = (): Listed => ({ rows: [], fresh: [], isWhole: false, isLoading: true, problem: null });

/** Put what is known newly of some rows in their places, and give those that are new. */
export function merged(rows: readonly Interaction[], newest: readonly Interaction[]): [Interaction[], Interaction[]] {
  const byId = new Map(newest.map((row) => [row.id, row]));
  const kept = rows.map((row) => {
    const found = byId.get(row.id);
    byId.delete(row.id);
    return found ?? row;
  });
  return [kept, [...byId.values()]];
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
  const state = useRef({ question: "", cursor: null as string | null, isBusy: false, isWhole: false });

  const more = useCallback(() => {
    const at = state.current;
    if (at.question === "" || at.isBusy || at.isWhole) return;
    at.isBusy = true;
    const asked = at.question;
    const cursor = at.cursor === null ? "" : `&cursor=${encodeURIComponent(at.cursor)}`;
    get<Page>(`${asked}&limit=${PAGE_ROWS}${cursor}`)
      .then((page) => {
        if (state.current.question !== asked) return;
        at.cursor = page.nextCursor;
        at.isWhole = page.nextCursor === null;
        at.isBusy = false;
        setListed((before) => appended(before, page));
      })
      .catch((error: unknown) => {
        if (state.current.question !== asked) return;
        at.isBusy = false;
        setListed((before) => ({ ...before, isLoading: false, problem: asProblem(error) }));
      });
  }, []);

  useEffect(() => {
    state.current = { question, cursor: null, isBusy: false, isWhole: false };
    setListed(nothing());
    more();
  }, [question, more]);

  const asked = useRef(pulse);
  useEffect(() => {
    if (asked.current === pulse) return;
    asked.current = pulse;
    const known = question;
    get<Page>(`${question}&limit=${NEWEST_ROWS}`).then(
      (page) => {
        if (state.current.question !== known) return;
        setListed((before) => {
          const [rows, added] = merged(before.rows, page.interactions);
          return { ...before, rows, fresh: isNewestFirst ? added : [], problem: null };
        });
      },
      () => undefined, // the next beat asks again
    );
  }, [pulse, question, isNewestFirst]);

  const take = useCallback(() => {
    setListed((before) => ({ ...before, rows: [...before.fresh, ...before.rows], fresh: [] }));
  }, []);
  return { ...listed, more, take };
}
