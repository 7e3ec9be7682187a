/** What went on over time: outcomes, latency and labels of the overview. */

import type { Timeseries } from "../api.ts";
import { moments, numberOrNull, values } from "../figures.ts";
import { count, duration, step as stepName } from "../format.ts";
import { isRecord } from "../guards.ts";
import type { Navigation } from "../navigation.ts";
import { Chart, Legend } from "../parts/chart.tsx";
import type { Line } from "../parts/drawing.ts";
import { Panel } from "../parts/panel.tsx";
import type { Resource } from "../resource.ts";

type Part = { from: Resource<Timeseries>; at: Navigation };

function zoomer(at: Navigation) {
  return (from: number, to: number) =>
    at.set({ period: null, from: new Date(from).toISOString(), to: new Date(to).toISOString() });
}

export function Outcomes({ from, at }: Part) {
  const lines = from.data ? outcomes(from.data) : [];
  return (
    <Panel title="Queries by outcome" from={from} rows={9} tools={<Legend lines={lines} />}>
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

export function Latencies({ from, at }: Part) {
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
      rows={7}
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

export function Labels({ from, at }: Part) {
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
      rows={7}
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
