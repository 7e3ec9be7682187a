import type { Summary } from "../api.ts";
import { question } from "../asking.ts";
import { count, dollars, duration, moment, share } from "../format.ts";
import type { Navigation } from "../navigation.ts";
import { Bar } from "../parts/marks.tsx";
import { Panel } from "../parts/panel.tsx";
import { useResource } from "../resource.ts";
import type { JudgeCalls } from "../reviewing.ts";
import { Missing } from "./missing.tsx";

type Health = { status: string; version: string; database: string; statistics: string };

/** Give the window and, if it is one, the store: requests to a judge are chosen by nothing else. */
function asked(search: URLSearchParams): string {
  const kept = new URLSearchParams();
  for (const name of ["period", "from", "to"]) {
    const value = search.get(name);
    if (value !== null) kept.set(name, value);
  }
  const stores = search.getAll("store");
  if (stores.length === 1 && stores[0]) kept.set("store", stores[0]);
  return question("stats/judge", kept);
}

/** Whether what comes in is stored, judged and counted. */
export function Pipeline({ at }: { at: Navigation }) {
  const calls = useResource<JudgeCalls>(asked(at.search));
  const summary = useResource<Summary>(question("stats/summary", at.search));
  return (
    <>
      <div class="columns">
        <Waiting calls={calls.data} summary={summary} at={at} />
        <Parts />
      </div>
      {calls.problem?.status === 404 ? <Missing what="account of its judge" /> : <Judge calls={calls} />}
    </>
  );
}

type WaitingProps = { calls: JudgeCalls | null; summary: ReturnType<typeof useResource<Summary>>; at: Navigation };

function Waiting({ calls, summary, at }: WaitingProps) {
  return (
    <Panel title="Waiting to be labelled" about="Now, of all stores" from={summary}>
      {(answer) => {
        const queue = calls?.queue ?? answer.evaluationQueue;
        const age = calls?.queue?.oldestAgeMs;
        return (
          <>
            <dl class="facts facts-plain">
              <Value
                name="Due"
                value={count(queue?.due)}
                aside={age == null ? null : `the oldest for ${duration(age)}`}
              />
              <Value name="Waiting for an outcome" value={count(queue?.waiting)} />
              <Value name="Failed" value={count(queue?.failed)} isBad={(queue?.failed ?? 0) > 0} />
              <Value name="Unlabelled in this window" value={count(answer.labels.unlabelled ?? 0)} />
            </dl>
            {(queue?.failed ?? 0) > 0 && (
              <p class="advice">
                The judge gave up on these. <code>aura-analytics evaluate --failed</code> says why, and{" "}
                <a class="link" href={at.to("browse", { label: "(none)" })} data-here>
                  here are the unlabelled ones
                </a>
                .
              </p>
            )}
          </>
        );
      }}
    </Panel>
  );
}

function Parts() {
  const health = useResource<Health>("health");
  return (
    <Panel title="The service" from={health}>
      {(answer) => (
        <dl class="facts facts-plain">
          <Value name="State" value={answer.status} isBad={answer.status !== "healthy"} />
          <Value name="Database" value={answer.database} isBad={answer.database !== "usable"} />
          <Value name="Statistics" value={answer.statistics} />
          <Value name="Version" value={answer.version} />
        </dl>
      )}
    </Panel>
  );
}

function Judge({ calls }: { calls: ReturnType<typeof useResource<JudgeCalls>> }) {
  return (
    <Panel title="The judge" about="Requests to a language model in this window" from={calls} rows={6}>
      {(answer) => (
        <>
          <dl class="facts facts-plain facts-wide">
            <Value name="Requests" value={count(answer.calls)} />
            <Value name="Failed" value={share(answer.failureRate)} isBad={(answer.failureRate ?? 0) > 0.05} />
            <Value
              name="Cost"
              value={dollars(answer.costUsd)}
              aside={answer.costPerLabelUsd === null ? null : `${dollars(answer.costPerLabelUsd)} a label`}
            />
            <Value name="Half within" value={duration(answer.latencyMs?.p50)} />
            <Value name="p95" value={duration(answer.latencyMs?.p95)} />
            {answer.today && <Today today={answer.today} />}
          </dl>
          <Failures failures={answer.failures} />
          <Models models={answer.byModel} />
        </>
      )}
    </Panel>
  );
}

function Today({ today }: { today: NonNullable<JudgeCalls["today"]> }) {
  const { spentUsd, budgetUsd } = today;
  const aside = budgetUsd === null ? "no limit is set" : `of ${dollars(budgetUsd)} until ${moment(today.resetsAt)}`;
  return (
    <div>
      <dt>Spent today</dt>
      <dd>
        <b>{dollars(spentUsd)}</b> <span class="muted">{aside}</span>
        {budgetUsd !== null && <Bar value={spentUsd / budgetUsd} tone={spentUsd >= budgetUsd ? "bad" : "accent"} />}
      </dd>
    </div>
  );
}

function Failures({ failures }: { failures: Record<string, number> }) {
  const all = Object.entries(failures);
  if (all.length === 0) return null;
  const most = Math.max(...all.map(([, times]) => times));
  return (
    <section>
      <h3>Why requests failed</h3>
      <ul class="ranked">
        {all.map(([name, times]) => (
          <li key={name} class="ranked-row">
            <span>{name.replaceAll("_", " ")}</span>
            <span class="number">{count(times)}</span>
            <Bar value={times / most} tone="bad" />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Models({ models }: { models: JudgeCalls["byModel"] }) {
  if (models.length === 0)
    return <p class="muted">No model was asked in this window: the rules settled what they could, or no key is set.</p>;
  return (
    <div class="scroller">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Model</th>
            <th scope="col">Rubric</th>
            <th scope="col" class="right">
              Requests
            </th>
            <th scope="col" class="right">
              Failed
            </th>
            <th scope="col" class="right">
              Tokens
            </th>
            <th scope="col" class="right">
              Cost
            </th>
            <th scope="col" class="right">
              p95
            </th>
          </tr>
        </thead>
        <tbody>
          {models.map((one) => (
            <tr key={`${one.model} ${one.rubric}`}>
              <th scope="row">
                <bdi>{one.model}</bdi>
              </th>
              <td>
                <bdi>{one.rubric}</bdi>
              </td>
              <td class="number">{count(one.calls)}</td>
              <td class="number">{share(one.failureRate)}</td>
              <td class="number">{count(one.tokensPrompt + one.tokensCompletion)}</td>
              <td class="number">{dollars(one.costUsd)}</td>
              <td class="number">{duration(one.latencyMs?.p95)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

type ValueProps = { name: string; value: string; aside?: string | null; isBad?: boolean };

function Value({ name, value, aside, isBad = false }: ValueProps) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <b class={isBad ? "strong-bad" : ""}>{value}</b> {aside && <span class="muted">{aside}</span>}
      </dd>
    </div>
  );
}
