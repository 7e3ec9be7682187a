import { useState } from "preact/hooks";
import { advice } from "../advice.ts";
import type { Causes, Demand } from "../api.ts";
import { question, ZONE } from "../asking.ts";
import { count, share } from "../format.ts";
import type { Navigation } from "../navigation.ts";
import { Icon } from "../parts/icons.tsx";
import { Bar, Sparkline } from "../parts/marks.tsx";
import { Content, Panel, Skeleton } from "../parts/panel.tsx";
import type { Step } from "../period.ts";
import { type Resource, useResource } from "../resource.ts";
import { CAUSES } from "../words.ts";

export type Diagnosis = { causes: Resource<Causes>; demand: Resource<Demand> };

/** Ask what broke, and what was asked for in vain. */
export function useDiagnosis(at: Navigation, step: Step, isNext: boolean): Diagnosis {
  const causes = useResource<Causes>(
    isNext ? question("insights/causes", at.search, { step, tz: ZONE, examples: 0 }) : null,
  );
  const demand = useResource<Demand>(isNext ? question("insights/demand", at.search, { limit: 8 }) : null);
  return { causes, demand };
}

/** What to do next. */
export function Next({ from, at }: { from: Diagnosis; at: Navigation }) {
  const found = advice(from.causes.data, from.demand.data);
  const most = found[0]?.weight ?? 1;
  return (
    <Panel
      title="What to do next"
      about="The most interactions first"
      className="next"
      from={from.causes}
      rows={11}
      isEmpty={() => found.length === 0}
      empty="Nothing stands out in this window."
    >
      {() => (
        <>
          <ol>
            {found.map((one) => (
              <li key={one.key}>
                <a href={at.to("browse", one.show)} data-here>
                  <span class="next-title">
                    {one.title}
                    {one.said !== null && (
                      <>
                        {" "}
                        <q>
                          <bdi>{one.said.slice(0, 120)}</bdi>
                        </q>
                      </>
                    )}
                  </span>
                  <span class="muted">{one.why}</span>
                  <Bar value={one.weight / most} />
                </a>
              </li>
            ))}
          </ol>
          {from.demand.data === null && from.demand.problem === null && <Skeleton rows={1} />}
          {from.demand.problem?.status === 501 && (
            <p class="muted small">What was asked for in vain, by topic, comes with the extra “topics”.</p>
          )}
        </>
      )}
    </Panel>
  );
}

/** Where interactions broke, with a few of each. */
export function Broken({ from, at }: { from: Resource<Causes>; at: Navigation }) {
  const [open, setOpen] = useState<string | null>(null);
  // To find the newest of a rare cause takes longer than all the rest: it is done for who wants to see them.
  const examples = useResource<Causes>(open === null ? null : question("insights/causes", at.search, { examples: 3 }));
  return (
    <Panel
      title="Where it breaks"
      about="The first step that went wrong"
      from={from}
      rows={6}
      isEmpty={(answer) => answer.broken === 0}
      empty="Nothing broke in this window."
    >
      {(answer) => (
        <>
          <p class="lead">
            <b>{count(answer.broken)}</b> of {count(answer.queries)} queries, <b>{share(answer.rate)}</b>
          </p>
          <ul class="causes">
            {answer.causes.map((cause) => (
              <Cause
                key={cause.cause}
                cause={cause}
                answer={answer}
                at={at}
                isOpen={open === cause.cause}
                examples={examples}
                onToggle={() => setOpen(open === cause.cause ? null : cause.cause)}
              />
            ))}
          </ul>
        </>
      )}
    </Panel>
  );
}

type CauseProps = {
  cause: Causes["causes"][number];
  answer: Causes;
  at: Navigation;
  isOpen: boolean;
  examples: Resource<Causes>;
  onToggle: () => void;
};

function Cause({ cause, answer, at, isOpen, examples, onToggle }: CauseProps) {
  const words = CAUSES[cause.cause];
  const isOpenEnded = !at.search.has("to");
  const course = answer.steps.map((step) => Number((step as Record<string, unknown>)[words?.key ?? ""] ?? 0));
  return (
    <li>
      <button type="button" class="cause" aria-expanded={isOpen} onClick={onToggle}>
        <Icon name={isOpen ? "down" : "right"} size={14} />
        <span class="cause-name">{words?.name ?? cause.cause}</span>
        <Sparkline values={course} tone="bad" isOpen={isOpenEnded} />
        <Bar value={cause.share ?? 0} tone="bad" />
        <span class="number">{count(cause.count)}</span>
      </button>
      {isOpen && (
        <div class="examples">
          <p class="muted">{words?.meaning}.</p>
          <Content from={examples} rows={3}>
            {(found) => <Examples all={found.examples.filter((one) => one.cause === cause.cause)} at={at} />}
          </Content>
        </div>
      )}
    </li>
  );
}

function Examples({ all, at }: { all: Causes["examples"]; at: Navigation }) {
  if (all.length === 0) return <p class="muted">None in this window.</p>;
  return (
    <ul>
      {all.map((one) => (
        <li key={one.id}>
          <a href={at.to(at.view, { open: one.id })} data-here>
            <bdi class="clipped">{one.queryText}</bdi>
            <bdi class="clipped muted">{one.answerText ?? "No answer"}</bdi>
          </a>
        </li>
      ))}
    </ul>
  );
}
