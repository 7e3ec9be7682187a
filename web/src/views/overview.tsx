import type { Compared, Intents, Summary, Timeseries, TopQueries, Unanswered } from "../api.ts";
import { isCompared, question, ZONE } from "../asking.ts";
import { DRAWN, type Figure, figures, NAMES } from "../figures.ts";
import type { Navigation } from "../navigation.ts";
import { Sparkline } from "../parts/marks.tsx";
import { Content } from "../parts/panel.tsx";
import { stepOf } from "../period.ts";
import { useResource } from "../resource.ts";
import { FILTERS } from "../words.ts";
import { Labels, Latencies, Outcomes } from "./courses.tsx";
import { Broken, Next, useDiagnosis } from "./diagnosis.tsx";
import { IntentTable, Missed, Top } from "./lists.tsx";
import { Mistaken, Nothing } from "./nothing.tsx";

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
  const isMistaken = summary.problem?.status === 400;
  const isNext = summary.data !== null || (summary.problem !== null && !isMistaken);
  const slow = useResource<Timeseries>(
    isNext ? question("stats/timeseries", at.search, { metric: SLOW.join(), ...over }) : null,
  );
  // They are asked in this order, that of the page: a browser has few requests under way at a time.
  const diagnosis = useDiagnosis(at, step, isNext);
  const later = (endpoint: string, more: Record<string, number | boolean>) =>
    isNext ? question(endpoint, at.search, more) : null;
  const missed = useResource<Unanswered>(later("stats/unanswered", { limit: 8, normalize: true }));
  const intents = useResource<Intents>(later("stats/intents", { limit: 12 }));
  const top = useResource<TopQueries>(later("stats/top-queries", { limit: 12, normalize: true }));
  const isFiltered = FILTERS.some(({ name }) => at.search.has(name));
  if (summary.data?.totalQueries === 0 && !summary.isStale) return <Nothing at={at} isFiltered={isFiltered} />;
  if (summary.problem && isMistaken) return <Mistaken problem={summary.problem} at={at} />;
  const series = [fast.data, slow.data].filter((one) => one !== null);
  return (
    <>
      <section aria-label="Figures" class={summary.isStale ? "stale" : ""} aria-busy={summary.isLoading}>
        {summary.data === null && summary.problem === null ? (
          <Blank />
        ) : (
          <Content from={summary} rows={3}>
            {(answer) => <Figures all={figures(answer, series)} at={at} />}
          </Content>
        )}
      </section>
      <div class="columns wide-left">
        <Outcomes from={fast} at={at} />
        <Next from={diagnosis} at={at} />
      </div>
      <div class="columns">
        <Broken from={diagnosis.causes} at={at} />
        <Missed from={missed} at={at} />
      </div>
      <div class="columns">
        <Latencies from={slow} at={at} />
        <Labels from={fast} at={at} />
      </div>
      <div class="columns wide-left">
        <IntentTable from={intents} at={at} />
        <Top from={top} at={at} />
      </div>
    </>
  );
}

/** The figures before they are known, so that nothing moves when they are. */
function Blank() {
  return (
    <ul class="figures">
      {NAMES.map((name) => (
        <li key={name}>
          <div>
            <span class="figure-name">{name}</span>
            <span class="figure-value">
              <i class="figure-blank" aria-hidden="true" />
            </span>
            <span class="figure-foot">{"\u00a0"}</span>
            <Sparkline values={[]} />
          </div>
        </li>
      ))}
    </ul>
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

if (DRAWN.some((metric) => ![...FAST, ...SLOW].includes(metric))) throw new Error("a figure's metric isn't asked for");
