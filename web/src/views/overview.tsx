import type { Compared, Intents, Summary, Timeseries, TopQueries, Unanswered } from "../api.ts";
import { isCompared, question, scope, ZONE } from "../asking.ts";
import { DRAWN, type Figure, figures, moments, numberOrNull, values } from "../figures.ts";
import { ago, count, duration, share, step as stepName } from "../format.ts";
import { isRecord } from "../guards.ts";
import type { Navigation } from "../navigation.ts";
import { Chart, Legend } from "../parts/chart.tsx";
import type { Line } from "../parts/drawing.ts";
import { Icon } from "../parts/icons.tsx";
import { Bar, Sparkline } from "../parts/marks.tsx";
import { Content, Panel } from "../parts/panel.tsx";
import { stepOf } from "../period.ts";
import { type Resource, useResource } from "../resource.ts";
import { FILTERS, reason } from "../words.ts";
import { Broken, Next, useDiagnosis } from "./diagnosis.tsx";
import { Nothing } from "./nothing.tsx";

const FAST = [
  "queries",
  "successes",
  "failures",
  "success_rate",
  "unanswered_rate",
  "quality",
  "cost",
  "good",
  "review",
  "bad",
];
const SLOW = ["latency_p50", "latency_p95", "latency_p99", "sessions", "conversion_rate"];

/** How it is doing, where it fails, why, and what to do next. */
export function Overview({ at }: { at: Navigation }) {
  const compare = isCompared(at.search) ? "previous" : null;
  const step = stepOf(at.search, Date.now());
  const summary = useResource<Compared<Summary>>(question("stats/summary", at.search, { compare }));
  const over = { step, tz: ZONE };
  const fast = useResource<Timeseries>(
    question("stats/timeseries", at.search, { metric: FAST.join(), ...over, compare }),
  );
  // The figures come first: what takes longer waits until they are here.
  const isNext = summary.data !== null || summary.problem !== null;
  const slow = useResource<Timeseries>(
    isNext ? question("stats/timeseries", at.search, { metric: SLOW.join(), ...over }) : null,
  );
  const diagnosis = useDiagnosis(at, step, isNext);
  const isFiltered = FILTERS.some(({ name }) => at.search.has(name));
  if (summary.data?.totalQueries === 0 && !summary.isStale) return <Nothing at={at} isFiltered={isFiltered} />;
  const series = [fast.data, slow.data].filter((one) => one !== null);
  return (
    <>
      <section aria-label="Figures" class={summary.isStale ? "stale" : ""}>
        <Content from={summary} rows={3}>
          {(answer) => <Figures all={figures(answer, series)} at={at} />}
        </Content>
      </section>
      <div class="columns wide-left">
        <Outcomes from={fast} at={at} />
        <Next from={diagnosis} at={at} />
      </div>
      <div class="columns">
        <Broken from={diagnosis.causes} at={at} />
        <Missed at={at} isNext={isNext} />
      </div>
      <div class="columns">
        <Latencies from={slow} at={at} />
        <Labels from={fast} at={at} />
      </div>
      <div class="columns wide-left">
        <IntentTable at={at} isNext={isNext} />
        <Top at={at} isNext={isNext} />
      </div>
    </>
  );
}

function Figures({ all, at }: { all: Figure[]; at: Navigation }) {
  const isOpen = !at.search.has("to");
  return (
    <ul class="figures">
      {all.map((figure) => (
        <li key={figure.name}>
          <a href={at.to("explore", { metric: figure.metric })} data-here>
            <span class="figure-name">{figure.name}</span>
            <span class="figure-value">{figure.value}</span>
            <span class="figure-foot">
              {figure.change && (
                <span class={`change change-${figure.tone}`}>
                  {figure.change}
                  <span class="hidden"> against the period before</span>
                </span>
              )}
              {figure.aside && <span class="muted">{figure.aside}</span>}
            </span>
            <Sparkline values={figure.values} isOpen={isOpen} />
          </a>
        </li>
      ))}
    </ul>
  );
}

type Part = { from: Resource<Timeseries>; at: Navigation };

function zoomer(at: Navigation) {
  return (from: number, to: number) =>
    at.set({ period: null, from: new Date(from).toISOString(), to: new Date(to).toISOString() });
}

function Outcomes({ from, at }: Part) {
  const lines = from.data ? outcomes(from.data) : [];
  return (
    <Panel title="Queries by outcome" from={from} rows={7} tools={<Legend lines={lines} />}>
      {(answer) => (
        <Chart
          at={moments(answer)}
          lines={lines}
          height={264}
          fills
          write={count}
          name={(moment) => stepName(moment, answer.step)}
          onZoom={zoomer(at)}
          summary={`Queries over time: ${count(total(values([answer], "queries")))}, of which ${count(total(values([answer], "successes")))} succeeded and ${count(total(values([answer], "failures")))} failed.`}
        />
      )}
    </Panel>
  );
}

function outcomes(answer: Timeseries): Line[] {
  const [all, good, bad] = ["queries", "successes", "failures"].map((name) => values([answer], name));
  const rest = (all ?? []).map((value, place) =>
    Math.max(0, (value ?? 0) - (good?.[place] ?? 0) - (bad?.[place] ?? 0)),
  );
  const lines: Line[] = [
    { label: "Undecided", values: rest, kind: "bar", tone: "none" },
    { label: "Failed", values: bad ?? [], kind: "bar", tone: "bad" },
    { label: "Succeeded", values: good ?? [], kind: "bar", tone: "good" },
  ];
  const before = (answer.series[0]?.points ?? []).map((point) => {
    const previous: unknown = point.previous;
    return isRecord(previous) ? numberOrNull(previous.queries) : null;
  });
  if (before.some((value) => value !== null && value > 0))
    lines.push({ label: "All, the period before", values: before, kind: "past", tone: "muted" });
  return lines;
}

function total(all: ReadonlyArray<number | null>): number {
  return all.reduce<number>((sum, value) => sum + (value ?? 0), 0);
}

function Latencies({ from, at }: Part) {
  const line = (name: string, tone: string): Line => ({
    label: name,
    values: from.data ? values([from.data], `latency_${name}`) : [],
    kind: "line",
    tone,
  });
  const lines = [line("p99", "3"), line("p95", "accent"), line("p50", "2")];
  return (
    <Panel
      title="Latency"
      about="What half, 95% and 99% of the answers took at most"
      from={from}
      rows={6}
      tools={<Legend lines={lines} />}
    >
      {(answer) => (
        <Chart
          at={moments(answer)}
          lines={lines}
          height={200}
          write={duration}
          name={(moment) => stepName(moment, answer.step)}
          onZoom={zoomer(at)}
          summary={`Latency over time. The last p95 is ${duration(values([answer], "latency_p95").findLast((value) => value !== null))}.`}
        />
      )}
    </Panel>
  );
}

function Labels({ from, at }: Part) {
  const line = (label: string, name: string): Line => ({
    label,
    values: from.data ? values([from.data], name) : [],
    kind: "bar",
    tone: name,
  });
  const lines = [line("Bad", "bad"), line("Review", "review"), line("Good", "good")];
  return (
    <Panel
      title="Labels"
      about="How good the answers were judged to be"
      from={from}
      rows={6}
      tools={<Legend lines={lines} />}
    >
      {(answer) => (
        <Chart
          at={moments(answer)}
          lines={lines}
          height={200}
          write={count}
          name={(moment) => stepName(moment, answer.step)}
          onZoom={zoomer(at)}
          summary={`Labels over time: ${lines.map((one) => `${count(total(one.values))} ${one.label}`).join(", ")}.`}
        />
      )}
    </Panel>
  );
}

type Later = { at: Navigation; isNext: boolean };

function IntentTable({ at, isNext }: Later) {
  const found = useResource<Intents>(isNext ? question("stats/intents", at.search, { limit: 12 }) : null);
  return (
    <Panel
      title="Intents"
      from={found}
      rows={8}
      isEmpty={(rows) => rows.length === 0}
      tools={
        <a class="more" href={at.to("explore", { metric: "queries", split: "intent" })} data-here>
          Over time
        </a>
      }
    >
      {(rows) => (
        <div class="scroller">
          <table class="table">
            <thead>
              <tr>
                <th scope="col">Intent</th>
                <th scope="col" class="right">
                  Queries
                </th>
                <th scope="col">Succeeded</th>
                <th scope="col" class="right">
                  Unanswered
                </th>
                <th scope="col" class="right">
                  p95
                </th>
                <th scope="col" class="right">
                  Converted
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.intent}>
                  <th scope="row">
                    <a href={at.to(at.view, { intent: row.intent ?? "(none)" })} data-here class="clipped">
                      <bdi>{row.intent ?? "None"}</bdi>
                    </a>
                  </th>
                  <td class="number">{count(row.queries)}</td>
                  <td>
                    <span class="with-bar">
                      <Bar value={(row.successRate ?? 0) / 100} tone="good" />
                      <span class="number">{share((row.successRate ?? 0) / 100)}</span>
                    </span>
                  </td>
                  <td class={row.unansweredRate > 0.5 ? "number strong-bad" : "number"}>{share(row.unansweredRate)}</td>
                  <td class={(row.p95LatencyMs ?? 0) > 8_000 ? "number strong-bad" : "number"}>
                    {duration(row.p95LatencyMs)}
                  </td>
                  <td class="number">{share(row.conversionRate)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

function Top({ at, isNext }: Later) {
  const found = useResource<TopQueries>(
    isNext ? question("stats/top-queries", at.search, { limit: 12, normalize: true }) : null,
  );
  const most = found.data?.[0]?.count ?? 1;
  return (
    <Panel title="Said most" from={found} rows={8} isEmpty={(rows) => rows.length === 0}>
      {(rows) => (
        <ol class="ranked">
          {rows.map((row) => (
            <li key={`${row.queryText} ${row.intent}`}>
              <a href={at.to("browse", { text: row.queryText.slice(0, 500) })} data-here>
                <bdi class="clipped">{row.queryText}</bdi>
                <span class="number">{count(row.count)}</span>
                <Bar value={row.count / most} />
                <span class="hidden">{share((row.successRate ?? 0) / 100)} succeeded</span>
              </a>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}

function Missed({ at, isNext }: Later) {
  const found = useResource<Unanswered>(
    isNext ? question("stats/unanswered", at.search, { limit: 8, normalize: true }) : null,
  );
  return (
    <Panel
      title="Unanswered"
      about="What shoppers asked for and didn’t get"
      from={found}
      rows={8}
      isEmpty={(rows) => rows.length === 0}
      empty="Everything was answered in this window."
      tools={
        <a class="more" href={`stats/unanswered?${scope(at.search)}&limit=1000&format=csv`} download>
          <Icon name="download" size={14} /> CSV
        </a>
      }
    >
      {(rows) => (
        <ol class="missed">
          {rows.map((row) => (
            <li key={`${row.queryText} ${row.intent}`}>
              <a href={at.to("browse", { text: row.queryText.slice(0, 500) })} data-here>
                <bdi class="clipped">{row.queryText}</bdi>
                <span class="number">{count(row.occurrences)}×</span>
                <span class="reasons">
                  {row.reasons.map((code) => (
                    <span key={code}>{reason(code)}</span>
                  ))}
                </span>
                <span class="muted when">{ago(row.lastSeen, Date.now())}</span>
              </a>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}

if (DRAWN.some((metric) => ![...FAST, ...SLOW].includes(metric))) throw new Error("a figure's metric isn't asked for");
