import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import type { Problem } from "../api.ts";
import { refresh } from "../live.ts";
import type { Resource } from "../resource.ts";

type Props<Answer> = {
  title: string;
  /** What a link to it names it by. */
  anchor?: string;
  about?: string;
  tools?: ComponentChildren;
  className?: string;
  from: Resource<Answer>;
  /** How high it is while there is nothing to show, so that nothing jumps. */
  rows?: number;
  isEmpty?: (answer: Answer) => boolean;
  empty?: ComponentChildren;
  children: (answer: Answer) => ComponentChildren;
};

/** A part of a view: what it shows, or why it can't yet. */
export function Panel<Answer>({ title, anchor, about, tools, className = "", from, ...rest }: Props<Answer>) {
  const id = useId();
  return (
    <section id={anchor} class={`panel ${className}`} aria-labelledby={id} aria-busy={from.isLoading}>
      <header class="panel-head">
        <div>
          <h2 id={id}>{title}</h2>
          {about && <p class="about">{about}</p>}
        </div>
        {tools && <div class="panel-tools">{tools}</div>}
      </header>
      <div class={from.isStale ? "panel-body stale" : "panel-body"}>
        <Content from={from} {...rest} />
      </div>
    </section>
  );
}

type ContentProps<Answer> = Pick<Props<Answer>, "from" | "rows" | "isEmpty" | "empty" | "children">;

/** An answer, or what stands in its place. */
export function Content<Answer>({ from, rows = 4, isEmpty, empty, children }: ContentProps<Answer>) {
  if (from.data === null) return from.problem ? <Trouble problem={from.problem} /> : <Skeleton rows={rows} />;
  const isBare = isEmpty?.(from.data) ?? false;
  return (
    <>
      {from.problem && <Trouble problem={from.problem} />}
      {isBare ? <p class="empty">{empty ?? "Nothing in this window."}</p> : children(from.data)}
    </>
  );
}

/** Bars that say that something is on its way. */
export function Skeleton({ rows }: { rows: number }) {
  return (
    <div class="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, place) => (
        <span key={place} />
      ))}
    </div>
  );
}

/** What went wrong, and what can be done about it. */
export function Trouble({ problem }: { problem: Problem }) {
  return (
    <div class="trouble" role="alert">
      <p>{words(problem)}</p>
      {problem.status !== 400 && problem.status !== 501 && (
        <button type="button" class="button small" onClick={refresh}>
          Try again
        </button>
      )}
    </div>
  );
}

function words(problem: Problem): string {
  if (problem.code === "projection_unavailable") return "The statistics are being rebuilt. They will be here shortly.";
  if (problem.status === 500) return "The server made a mistake here. Its log says which.";
  return problem.message || `The server answered with ${problem.status}.`;
}
