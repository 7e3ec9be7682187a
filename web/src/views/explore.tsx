import type { Timeseries } from "../api.ts";
import { isCompared, question, ZONE } from "../asking.ts";
import { moments, numberOrNull } from "../figures.ts";
import { count, dollars, duration, NOTHING, share, step as stepName } from "../format.ts";
import type { Navigation } from "../navigation.ts";
import { Chart, Legend } from "../parts/chart.tsx";
import type { Line } from "../parts/drawing.ts";
import { Icon } from "../parts/icons.tsx";
import { Panel } from "../parts/panel.tsx";
import { STEPS, stepOf } from "../period.ts";
import { useResource } from "../resource.ts";
import { type Kind, METRICS, type Metric, SPLITS } from "../words.ts";

const WRITERS: Record<Kind, (value: number | null) => string> = {
  count,
  share,
  duration,
  dollars,
  number: count,
};
const TOPS = ["3", "5", "8", "12", "20"];
const TONES = ["1", "2", "3", "4", "5", "6", "7", "8"];
const LABEL_TONES: Record<string, string> = { GOOD: "good", REVIEW: "review", BAD: "bad" };

/** Any metric, by anything, over time. */
export function Explore({ at }: { at: Navigation }) {
  const metric = METRICS.find(({ name }) => name === at.search.get("metric")) ?? METRICS[0];
  if (!metric) return null;
  const split = SPLITS.find(([name]) => name === at.search.get("split"))?.[0] ?? null;
  const step = at.search.get("step") ?? stepOf(at.search, Date.now());
  const top = at.search.get("top") ?? "5";
  const compare = split === null && isCompared(at.search) ? "previous" : null;
  const asked = { metric: metric.name, step, tz: ZONE, split, top: split && top, compare };
  const path = question("stats/timeseries", at.search, asked);
  const found = useResource<Timeseries>(path);
  const csv = question("stats/timeseries", at.search, { ...asked, format: "csv" });
  const isBars = (at.search.get("chart") ?? (metric.adds ? "bars" : "lines")) === "bars" && metric.adds;
  const lines = found.data?.metrics.includes(metric.name) ? linesOf(found.data, metric, split, isBars) : [];
  const write = WRITERS[metric.kind];
  return (
    <>
      <Questions at={at} metric={metric} split={split} step={step} top={top} isBars={isBars} />
      <Panel
        title={split ? `${metric.label} by ${split}` : metric.label}
        from={found}
        rows={10}
        isEmpty={(answer) => moments(answer).length === 0 || lines.length === 0}
        tools={<Legend lines={lines} />}
      >
        {(answer) => (
          <Chart
            at={moments(answer)}
            lines={lines}
            height={320}
            isTold
            write={write}
            name={(moment) => stepName(moment, answer.step)}
            onZoom={(from, to) =>
              at.set({ period: null, step: null, from: new Date(from).toISOString(), to: new Date(to).toISOString() })
            }
            summary={`${metric.label} over time${split ? ` by ${split}` : ""}. The table below has the numbers.`}
          />
        )}
      </Panel>
      <Panel
        title="Numbers"
        from={found}
        rows={8}
        isEmpty={(answer) => moments(answer).length === 0}
        tools={
          <a class="more" href={csv} download>
            <Icon name="download" size={14} /> CSV
          </a>
        }
      >
        {(answer) => <Numbers answer={answer} lines={lines} metric={metric} split={split} at={at} />}
      </Panel>
    </>
  );
}

type QuestionProps = {
  at: Navigation;
  metric: Metric;
  split: string | null;
  step: string;
  top: string;
  isBars: boolean;
};

function Questions({ at, metric, split, step, top, isBars }: QuestionProps) {
  return (
    <div class="questions">
      <Select name="Metric" value={metric.name} onChange={(value) => at.set({ metric: value, chart: null })}>
        {METRICS.map(({ name, label }) => [name, label] as const)}
      </Select>
      <Select name="By" value={split ?? ""} onChange={(value) => at.set({ split: value || null })}>
        {[["", "Nothing"] as const, ...SPLITS]}
      </Select>
      {split && (
        <Select name="Largest" value={top} onChange={(value) => at.set({ top: value === "5" ? null : value })}>
          {TOPS.map((value) => [value, value] as const)}
        </Select>
      )}
      <Select name="Per" value={step} onChange={(value) => at.set({ step: value })}>
        {STEPS.map((value) => [value, value[0]?.toUpperCase() + value.slice(1)] as const)}
      </Select>
      {metric.adds && (
        <Select name="As" value={isBars ? "bars" : "lines"} onChange={(value) => at.set({ chart: value })}>
          {[["bars", "Bars"] as const, ["lines", "Lines"] as const]}
        </Select>
      )}
    </div>
  );
}

type SelectProps = {
  name: string;
  value: string;
  onChange: (value: string) => void;
  children: ReadonlyArray<readonly [string, string]>;
};

function Select({ name, value, onChange, children }: SelectProps) {
  return (
    <label class="select">
      <span class="muted">{name}</span>
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {children.map(([one, words]) => (
          <option key={one} value={one}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}

function linesOf(answer: Timeseries, metric: Metric, split: string | null, isBars: boolean): Line[] {
  const kind = isBars ? "bar" : "line";
  const lines = answer.series.map((series, place): Line => {
    const name = split === null ? metric.label : series.other ? "All others" : (series.split ?? "None");
    const tone =
      series.other || (split !== null && series.split === null) ? "none" : (TONES[place % TONES.length] ?? "1");
    return {
      label: name.slice(0, 60),
      values: series.points.map((point) => numberOrNull(point[metric.name])),
      kind,
      tone: split === "label" ? (LABEL_TONES[series.split ?? ""] ?? "none") : split === null ? "accent" : tone,
    };
  });
  const before = answer.series[0]?.points.map((point) => {
    const previous = point.previous as Record<string, unknown> | null | undefined;
    return numberOrNull(previous?.[metric.name]);
  });
  if (split === null && before?.some((value) => value !== null && value !== 0))
    lines.push({ label: "The period before", values: before, kind: "past", tone: "muted" });
  return lines;
}

type NumbersProps = { answer: Timeseries; lines: Line[]; metric: Metric; split: string | null; at: Navigation };

function Numbers({ answer, lines, metric, split, at }: NumbersProps) {
  const write = WRITERS[metric.kind];
  const steps = moments(answer);
  return (
    <div class="scroller tall" tabIndex={0} role="region" aria-label="Numbers, step by step">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">When</th>
            {lines.map((line, place) => (
              <th key={line.label} scope="col" class="right">
                <Heading line={line} series={answer.series[place]} split={split} at={at} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {metric.adds && (
            <tr class="total">
              <th scope="row">All</th>
              {lines.map((line) => (
                <td key={line.label} class="number">
                  {write(line.values.reduce<number>((sum, value) => sum + (value ?? 0), 0))}
                </td>
              ))}
            </tr>
          )}
          {steps
            .map((step, place) => (
              <tr key={step}>
                <th scope="row">{stepName(step, answer.step)}</th>
                {lines.map((line) => (
                  <td key={line.label} class="number">
                    {line.values[place] == null ? NOTHING : write(line.values[place] ?? null)}
                  </td>
                ))}
              </tr>
            ))
            .reverse()}
        </tbody>
      </table>
    </div>
  );
}

type HeadingProps = {
  line: Line;
  series: Timeseries["series"][number] | undefined;
  split: string | null;
  at: Navigation;
};

/** A group's name; following it narrows everything down to the group. */
function Heading({ line, series, split, at }: HeadingProps) {
  if (!split || !series || series.other) return <bdi>{line.label}</bdi>;
  return (
    <a href={at.to("explore", { [split]: series.split ?? "(none)", split: null })} data-here>
      <bdi class="clipped">{line.label}</bdi>
    </a>
  );
}
