/** One interaction as a row of the list. */

import { Component } from "preact";
import type { Interaction } from "../api.ts";
import { dollars, duration, listed, share } from "../format.ts";
import { LabelMark } from "../parts/marks.tsx";

type Props = { row: Interaction; place: number; isOpen: boolean; href: string };

/** It is drawn again only where something of it has changed: so scrolling by a few rows costs those few. */
export class Row extends Component<Props> {
  override shouldComponentUpdate(next: Props): boolean {
    const { row, place, isOpen, href } = this.props;
    return next.row !== row || next.place !== place || next.isOpen !== isOpen || next.href !== href;
  }

  override render({ row, place, isOpen, href }: Props) {
    return <Cells row={row} place={place} isOpen={isOpen} href={href} />;
  }
}

function Cells({ row, place, isOpen, href }: Props) {
  const failed = row.errorFlag || row.actionSuccess === false;
  return (
    <div class={isOpen ? "list-row list-open" : "list-row"} role="row" aria-rowindex={place + 2}>
      <span role="cell" class="number muted when">
        {listed(row.createdAt, Date.now())}
      </span>
      <span role="cell" class="list-text">
        <a href={href} data-here data-place={place} aria-current={isOpen ? "true" : undefined}>
          <bdi class="clipped">{row.queryText.slice(0, 300)}</bdi>
        </a>
        <bdi class={failed ? "clipped muted failed" : "clipped muted"}>
          {row.answerText?.slice(0, 300) ?? row.errorMessage?.slice(0, 300) ?? "No answer"}
        </bdi>
      </span>
      <span role="cell" class="list-intent">
        <bdi class="clipped">{row.intent ?? "–"}</bdi>
        <bdi class="clipped muted">{row.storeId.slice(0, 200)}</bdi>
      </span>
      <span role="cell">
        <LabelMark label={row.label} />
      </span>
      <span role="cell" class={(row.latencyMs ?? 0) > 8_000 ? "number strong-bad" : "number"}>
        {duration(row.latencyMs)}
      </span>
      <span role="cell" class={`number list-heard ${doubt(row.transcriptionConfidence)}`}>
        {share(row.transcriptionConfidence)}
      </span>
      <span role="cell" class="number list-cost">
        {dollars(row.costUsd)}
      </span>
    </div>
  );
}

function doubt(confidence: number | null): string {
  return confidence === null || confidence >= 0.8 ? "" : confidence >= 0.5 ? "strong-review" : "strong-bad";
}
