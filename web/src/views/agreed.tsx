import type { Agreement } from "../api.ts";
import { question } from "../asking.ts";
import { count, share } from "../format.ts";
import type { Navigation } from "../navigation.ts";
import { Panel } from "../parts/panel.tsx";
import { useResource } from "../resource.ts";
import { LABELS } from "../words.ts";

/** Below this, what people looked at was hardly drawn at random. */
const UNLIKELY = 0.05;

/** How far the machine's labels can be trusted. */
export function Agreed({ at }: { at: Navigation }) {
  const found = useResource<Agreement>(question("stats/agreement", at.search));
  return (
    <Panel
      title="How far the machine can be trusted"
      about="Its labels beside people’s, in this window"
      from={found}
      rows={6}
      isEmpty={(answer) => answer.pairs === 0}
      empty="Nobody has labelled anything in this window that a machine had labelled too."
    >
      {(answer) => (
        <>
          <dl class="facts facts-plain facts-two">
            <Fact name="Agrees with people" value={share(answer.accuracy?.value)} interval={answer.accuracy} />
            <Fact name="Beyond chance (κ)" value={answer.kappa ? answer.kappa.value.toFixed(2) : "–"} />
            <Fact name="Called bad by machine" value={share(answer.badRate.automatic)} />
            <Fact
              name="Truly bad, corrected"
              value={share(answer.badRate.corrected?.value)}
              interval={answer.badRate.corrected}
            />
          </dl>
          {answer.confusion && <Confusion cells={answer.confusion} />}
          <p class="muted small">
            From {count(answer.pairs)} interactions with both labels.
            {(answer.badRate.samplingP ?? 1) < UNLIKELY &&
              " They weren’t drawn at random, so the corrected rate isn’t about all: label some “at random”."}
          </p>
        </>
      )}
    </Panel>
  );
}

type FactProps = { name: string; value: string; interval?: { low: number; high: number } | null };

function Fact({ name, value, interval }: FactProps) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <b>{value}</b>
        {interval && (
          <span class="muted">
            {" "}
            {share(interval.low)} – {share(interval.high)}
          </span>
        )}
      </dd>
    </div>
  );
}

function Confusion({ cells }: { cells: NonNullable<Agreement["confusion"]> }) {
  const of = (automatic: string, truth: string) =>
    cells.find((cell) => cell.automatic === automatic && cell.truth === truth)?.count ?? 0;
  return (
    <table class="table confusion">
      <caption class="muted small">Rows: what the machine said; columns: what people said</caption>
      <thead>
        <tr>
          <td />
          {LABELS.map((truth) => (
            <th key={truth} scope="col" class="right">
              {truth}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {LABELS.map((automatic) => (
          <tr key={automatic}>
            <th scope="row">{automatic}</th>
            {LABELS.map((truth) => (
              <td key={truth} class={automatic === truth ? "number agreeing" : "number"}>
                {count(of(automatic, truth))}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
