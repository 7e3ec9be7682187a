/** What there was most of: intents, what was said, and what wasn't answered, of the overview. */

import type { Intents, TopQueries, Unanswered } from "../api.ts";
import { scope } from "../asking.ts";
import { ago, count, duration, share, shareListed } from "../format.ts";
import type { Navigation } from "../navigation.ts";
import { Icon } from "../parts/icons.tsx";
import { Bar } from "../parts/marks.tsx";
import { Panel } from "../parts/panel.tsx";
import type { Resource } from "../resource.ts";
import { reason } from "../words.ts";

type From<Answer> = { from: Resource<Answer>; at: Navigation };

export function IntentTable({ from, at }: From<Intents>) {
  return (
    <Panel
      title="Intents"
      from={from}
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
                      <span class="number">{shareListed((row.successRate ?? 0) / 100)}</span>
                    </span>
                  </td>
                  <td class={row.unansweredRate > 0.5 ? "number strong-bad" : "number"}>
                    {shareListed(row.unansweredRate)}
                  </td>
                  <td class={(row.p95LatencyMs ?? 0) > 8_000 ? "number strong-bad" : "number"}>
                    {duration(row.p95LatencyMs)}
                  </td>
                  <td class="number">{shareListed(row.conversionRate)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

export function Top({ from, at }: From<TopQueries>) {
  const most = from.data?.[0]?.count ?? 1;
  return (
    <Panel title="Said most" from={from} rows={8} isEmpty={(rows) => rows.length === 0}>
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

export function Missed({ from, at }: From<Unanswered>) {
  return (
    <Panel
      title="Unanswered"
      about="What shoppers asked for and didn’t get"
      from={from}
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
