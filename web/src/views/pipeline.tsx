import type { Health, JudgeCalls, Summary, Timeseries } from "../api.ts";
import { question, ZONE } from "../asking.ts";
import { moments, values } from "../figures.ts";
import { count, duration, step as stepName } from "../format.ts";
import type { Navigation } from "../navigation.ts";
import { Chart } from "../parts/chart.tsx";
import { Value } from "../parts/fact.tsx";
import { Panel } from "../parts/panel.tsx";
import { type Resource, useResource } from "../resource.ts";
import { useSession } from "../session.ts";
import { FAILURES, Failures } from "./failures.tsx";
import { Judge } from "./judge.tsx";
import { Missing } from "./missing.tsx";

/** What is about now and isn't chosen by anything but its store. */
function ofStores(search: URLSearchParams, ...more: readonly string[]): URLSearchParams {
  return new URLSearchParams([...search].filter(([name]) => name === "store" || more.includes(name)));
}

/** Whether what comes in is stored, judged and counted. */
export function Pipeline({ at, mayLabel }: { at: Navigation; mayLabel: boolean }) {
  const own = useSession().who?.stores ?? null;
  const stores = at.search.getAll("store");
  // Requests to a judge are summed up for one store or for all: who sees some has to say which.
  const isUnclear = stores.length > 1 || (stores.length === 0 && (own?.length ?? 0) > 1);
  const asked = question("stats/judge", ofStores(at.search, "period", "from", "to"));
  const calls = useResource<JudgeCalls>(isUnclear ? null : asked);
  const summary = useResource<Summary>(question("stats/summary", at.search));
  return (
    <>
      <div class="columns">
        <Coming at={at} />
        <Waiting calls={calls.data} summary={summary} maySee={mayLabel} />
      </div>
      {isUnclear ? (
        <p class="empty">Choose one store to see what its judge was asked, and what it cost.</p>
      ) : calls.problem?.status === 404 ? (
        <Missing what="account of its judge" />
      ) : (
        <Judge calls={calls} />
      )}
      <Parts />
      {/* Last: it is there only where something is given up, and moves nothing when it comes. */}
      {mayLabel && <Failures at={at} />}
    </>
  );
}

/** So many minutes are the rate of now. */
const NOW_MINUTES = 5;

function Coming({ at }: { at: Navigation }) {
  const search = ofStores(at.search);
  search.set("period", "1h");
  const found = useResource<Timeseries>(
    question("stats/timeseries", search, { metric: "queries", step: "minute", tz: ZONE }),
  );
  return (
    <Panel title="Coming in" about="Queries of the last hour, minute by minute" from={found} rows={6}>
      {(answer) => {
        // The last minute isn't over.
        const minutes = values([answer], "queries").map((value) => value ?? 0);
        const whole = minutes.slice(0, -1);
        const recent = whole.slice(-NOW_MINUTES);
        const rate = recent.reduce((sum, value) => sum + value, 0) / Math.max(1, recent.length);
        return (
          <>
            <dl class="facts facts-plain">
              <Value name="A minute, lately" value={perMinute(rate)} />
              <Value name="In the last hour" value={count(minutes.reduce((sum, value) => sum + value, 0))} />
              <Value name="Busiest minute" value={count(Math.max(0, ...minutes))} />
            </dl>
            <Chart
              at={moments(answer)}
              lines={[{ label: "Queries", values: minutes, kind: "bar", tone: "accent" }]}
              height={120}
              write={count}
              name={(moment) => stepName(moment, answer.step)}
              summary={`Queries that came in each minute of the last hour; lately ${perMinute(rate)} a minute.`}
            />
          </>
        );
      }}
    </Panel>
  );
}

function perMinute(rate: number): string {
  return rate > 0 && rate < 10 ? rate.toFixed(1) : count(Math.round(rate));
}

type WaitingProps = { calls: JudgeCalls | null; summary: Resource<Summary>; maySee: boolean };

function Waiting({ calls, summary, maySee }: WaitingProps) {
  const isOfAll = summary.data?.evaluationQueue != null || calls?.queue != null;
  return (
    <Panel title="Waiting to be labelled" {...(isOfAll ? { about: "Now, of all stores" } : {})} from={summary}>
      {(answer) => {
        const queue = calls?.queue ?? answer.evaluationQueue;
        const age = calls?.queue?.oldestAgeMs;
        return (
          <dl class="facts facts-plain facts-two">
            {queue && (
              <>
                <Value
                  name="Due"
                  value={count(queue.due)}
                  aside={age == null ? null : `the oldest for ${duration(age)}`}
                />
                <Value name="Waiting for an outcome" value={count(queue.waiting)} />
                <Value
                  name="Given up"
                  value={count(queue.failed)}
                  isBad={queue.failed > 0}
                  aside={maySee && queue.failed > 0 && <a href={`#${FAILURES}`}>see why</a>}
                />
              </>
            )}
            <Value name="Unlabelled in this window" value={count(answer.labels.unlabelled ?? 0)} />
          </dl>
        );
      }}
    </Panel>
  );
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function Parts() {
  const health = useResource<Health>("health");
  return (
    <Panel title="The service" from={health}>
      {(answer) => (
        <dl class="facts facts-plain">
          <Value name="State" value={capital(answer.status)} isBad={answer.status !== "healthy"} />
          <Value name="Database" value={capital(answer.database)} isBad={answer.database !== "usable"} />
          <Value name="Statistics" value={capital(answer.statistics)} />
          <Value name="Version" value={answer.version} />
        </dl>
      )}
    </Panel>
  );
}
