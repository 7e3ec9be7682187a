import { useEffect, useState } from "preact/hooks";
import { asProblem, type Failed, type Problem, post, type Retried } from "../api.ts";
import { ago, count } from "../format.ts";
import { refresh } from "../live.ts";
import type { Navigation } from "../navigation.ts";
import { Icon } from "../parts/icons.tsx";
import { Panel, Trouble } from "../parts/panel.tsx";
import { useResource } from "../resource.ts";

/** What a link to this part names it by. */
export const FAILURES = "given-up";

const PAGE_ROWS = 20;
const MOST_ROWS = 500;

type Choice = { queryIds: string[] } | { cause: string } | { all: true };

/** What the judge gave up on: why, and another try for one, for all of a cause, or for all. */
export function Failures({ at }: { at: Navigation }) {
  const [most, setMost] = useState(PAGE_ROWS);
  const [told, setTold] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  const stores = new URLSearchParams(at.search.getAll("store").map((store) => ["store", store]));
  const cause = at.search.get("cause");
  const asked = new URLSearchParams([
    ...stores,
    ["limit", String(most)],
    ...(cause === null ? [] : [["cause", cause]]),
  ]);
  const found = useResource<Failed>(`evaluations/failed?${asked}`);
  const retry = async (choice: Choice) => {
    setBusy(true);
    try {
      const { retried } = await post<Retried>(`evaluations/retry?${stores}`, choice);
      setTold(`${count(retried)} will be tried again.`);
      setProblem(null);
      refresh();
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  const total = found.data?.total ?? 0;
  const isThere = total > 0 || told !== null || problem !== null || (found.data === null && !found.isLoading);
  useEffect(() => {
    // Whoever was sent here came before it did.
    if (isThere && location.hash === `#${FAILURES}`) document.getElementById(FAILURES)?.scrollIntoView();
  }, [isThere]);
  if (!isThere) return null;
  return (
    <Panel
      title="Given up"
      anchor={FAILURES}
      about="What the judge failed at so often that it isn’t tried again by itself"
      from={found}
      isEmpty={(answer) => answer.total === 0}
      empty={told ?? "Nothing is given up."}
      tools={
        total > 0 && (
          <button type="button" class="button small" disabled={isBusy} onClick={() => void retry({ all: true })}>
            Try all {count(total)} again
          </button>
        )
      }
    >
      {(answer) => (
        <>
          {problem && <Trouble problem={problem} />}
          {told && <p role="status">{told}</p>}
          <Causes causes={answer.causes} at={at} isBusy={isBusy} retry={retry} />
          <Items items={answer.items} at={at} isBusy={isBusy} retry={retry} />
          {answer.nextCursor !== null && most < MOST_ROWS && (
            <button type="button" class="button small" onClick={() => setMost(Math.min(MOST_ROWS, most * 3))}>
              Show more
            </button>
          )}
        </>
      )}
    </Panel>
  );
}

type PartProps = { at: Navigation; isBusy: boolean; retry: (choice: Choice) => Promise<void> };

function words(cause: string): string {
  return cause.slice(0, 300) || "no cause was noted";
}

function Causes({ causes, at, isBusy, retry }: PartProps & { causes: Failed["causes"] }) {
  const chosen = at.search.get("cause");
  return (
    <ul class="failures" aria-label="Causes">
      {causes.map(({ cause, count: times, lastAt }) => (
        <li key={cause}>
          <button
            type="button"
            class="failure-cause"
            aria-pressed={chosen === cause}
            title="Show only these"
            onClick={() => at.set({ cause: chosen === cause ? null : cause })}
          >
            <bdi>{words(cause)}</bdi>
            <span class="muted small">
              {count(times)}×, last {ago(lastAt, Date.now())}
            </span>
          </button>
          <button type="button" class="button small" disabled={isBusy} onClick={() => void retry({ cause })}>
            Try these again
          </button>
        </li>
      ))}
    </ul>
  );
}

function Items({ items, at, isBusy, retry }: PartProps & { items: Failed["items"] }) {
  return (
    <ul class="failures failures-items" aria-label="Interactions that were given up">
      {items.map((item) => (
        <li key={item.queryId}>
          <a href={at.to(at.view, { open: item.queryId })} data-here>
            <bdi class="clipped">{item.queryText?.slice(0, 300) ?? item.queryId}</bdi>
            <span class="muted small clipped">
              <bdi>{item.storeId ?? "of no store"}</bdi> · {count(item.attempts)} tries ·{" "}
              {ago(item.failedAt, Date.now())} · <bdi>{words(item.cause)}</bdi>
            </span>
          </a>
          <button
            type="button"
            class="button small quiet"
            disabled={isBusy}
            aria-label={`Try again: ${item.queryText?.slice(0, 80) ?? item.queryId}`}
            onClick={() => void retry({ queryIds: [item.queryId] })}
          >
            <Icon name="again" size={14} /> Try again
          </button>
        </li>
      ))}
    </ul>
  );
}
