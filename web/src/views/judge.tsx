import type { JudgeCalls } from "../api.ts";
import { count, dollars, duration, moment, share } from "../format.ts";
import { Value } from "../parts/fact.tsx";
import { Bar } from "../parts/marks.tsx";
import { Panel } from "../parts/panel.tsx";
import type { Resource } from "../resource.ts";

/** What the judge was asked, and what it cost. */
export function Judge({ calls }: { calls: Resource<JudgeCalls> }) {
  return (
    <Panel title="The judge" about="Requests to a language model in this window" from={calls} rows={4}>
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
