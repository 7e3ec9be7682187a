import { useEffect, useRef, useState } from "preact/hooks";
import type { Interaction, Summary } from "../api.ts";
import { question } from "../asking.ts";
import { count } from "../format.ts";
import type { Navigation } from "../navigation.ts";
import { NEWEST_ROWS, usePages } from "../pages.ts";
import { Icon } from "../parts/icons.tsx";
import { useMedia } from "../parts/media.ts";
import { Skeleton, Trouble } from "../parts/panel.tsx";
import { slot, Virtual } from "../parts/virtual.tsx";
import { useResource } from "../resource.ts";
import { FILTERS } from "../words.ts";
import { Nothing } from "./nothing.tsx";
import { Row } from "./row.tsx";

const ROW = 56;
const NARROW_ROW = 76;

const COLUMNS = [
  ["created_at", "When"],
  [null, "What was said"],
  [null, "Intent"],
  [null, "Label"],
  ["latency", "Latency"],
  ["confidence", "Heard"],
  ["cost", "Cost"],
] as const;

/** Single interactions, one a row. */
export function Browse({ at }: { at: Navigation }) {
  const sort = at.search.get("sort") ?? "created_at";
  const order = at.search.get("order") ?? "desc";
  const isNewestFirst = sort === "created_at" && order === "desc";
  const listed = usePages(question("interactions", at.search, { sort, order }), isNewestFirst);
  const summary = useResource<Summary>(question("stats/summary", at.search));
  const viewport = useRef<HTMLDivElement>(null);
  const rowHeight = useMedia("(max-width: 760px)") ? NARROW_ROW : ROW;

  const { rows, fresh, take } = listed;
  useEffect(() => {
    if (fresh.length > 0 && (viewport.current?.scrollTop ?? 0) < rowHeight / 2) take();
  }, [fresh, take, rowHeight]);

  const open = at.search.get("open");
  const bare = at.to("browse", { open: null });
  const link = `${bare}${bare.includes("?") ? "&" : "?"}open=`;
  const isFiltered = FILTERS.some(({ name }) => at.search.has(name));
  const isBare = listed.isWhole && rows.length === 0;
  return (
    <section class="browse" aria-label="Interactions">
      <div class="browse-head">
        <Search at={at} />
        <p class="muted" role="status">
          {summary.data && `${count(summary.data.totalQueries)} interactions`}
        </p>
        <a
          class="more"
          href={question("interactions", at.search, { sort, order, limit: 1000, format: "csv" })}
          download
        >
          <Icon name="download" size={14} /> CSV
        </a>
      </div>
      {listed.problem && <Trouble problem={listed.problem} />}
      {isBare ? (
        <Nothing at={at} isFiltered={isFiltered} />
      ) : (
        <div
          ref={viewport}
          class="list"
          role="table"
          aria-label="Interactions"
          aria-rowcount={summary.data?.totalQueries ?? -1}
          onKeyDown={(event) => step(event, at, rows, viewport.current, rowHeight)}
        >
          <Heading at={at} sort={sort} order={order} />
          {fresh.length > 0 && (
            <button type="button" class="fresh" onClick={() => takeToTop(take, viewport.current)}>
              <Icon name="up" size={14} /> {count(fresh.length)}
              {fresh.length >= NEWEST_ROWS && " or more"} new
            </button>
          )}
          {listed.isLoading && rows.length === 0 && <Skeleton rows={12} />}
          <Virtual
            viewport={viewport}
            count={rows.length}
            rowHeight={rowHeight}
            onNearEnd={listed.more}
            render={(place) => {
              const row = rows[place];
              if (!row) return undefined;
              const href = link + encodeURIComponent(row.id);
              return <Row key={slot(place)} row={row} place={place} isOpen={row.id === open} href={href} />;
            }}
          />
        </div>
      )}
    </section>
  );
}

function takeToTop(take: () => void, viewport: HTMLElement | null): void {
  take();
  viewport?.scrollTo({ top: 0 });
}

function Search({ at }: { at: Navigation }) {
  const given = at.search.get("text") ?? "";
  const [text, setText] = useState(given);
  const typed = useRef(false);
  useEffect(() => {
    if (!typed.current) setText(given);
    typed.current = false;
  }, [given]);
  useEffect(() => {
    if (text === given) return;
    const later = setTimeout(() => {
      typed.current = true;
      at.set({ text: text.trim() || null }, given !== "");
    }, 250);
    return () => clearTimeout(later);
  }, [text, given, at.set]);
  return (
    <label class="search">
      <Icon name="search" />
      <span class="hidden">Search in what was said</span>
      <input
        type="search"
        placeholder="Search in what was said"
        maxLength={2_000}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
    </label>
  );
}

type HeadingProps = { at: Navigation; sort: string; order: string };

function Heading({ at, sort, order }: HeadingProps) {
  return (
    <div class="list-row list-head" role="row">
      {COLUMNS.map(([name, words]) => {
        if (name === null)
          return (
            <span key={words} role="columnheader">
              {words}
            </span>
          );
        const isSorted = sort === name;
        const next = isSorted && order === "desc" ? "asc" : "desc";
        return (
          <span
            key={words}
            role="columnheader"
            aria-sort={isSorted ? (order === "desc" ? "descending" : "ascending") : "none"}
          >
            <button
              type="button"
              class={isSorted ? "sorted" : ""}
              onClick={() =>
                at.set({
                  sort: name === "created_at" && next === "desc" ? null : name,
                  order: next === "desc" ? null : next,
                })
              }
            >
              {words}
              <span aria-hidden="true">{isSorted ? (order === "desc" ? " ↓" : " ↑") : ""}</span>
            </button>
          </span>
        );
      })}
    </div>
  );
}

const STEPS: Record<string, number> = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 };

/** Go from row to row by the keyboard; an open drawer goes along. */
function step(
  event: KeyboardEvent,
  at: Navigation,
  rows: readonly Interaction[],
  viewport: HTMLElement | null,
  rowHeight: number,
): void {
  const by = STEPS[event.key];
  if (!by || !viewport || event.ctrlKey || event.metaKey || event.altKey) return;
  const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.place : undefined;
  const open = rows.findIndex((row) => row.id === at.search.get("open"));
  const from = focused === undefined ? open : Number(focused);
  const place = Math.max(0, Math.min(rows.length - 1, from + by));
  const row = rows[place];
  if (!row) return;
  event.preventDefault();
  const top = place * rowHeight;
  if (top < viewport.scrollTop) viewport.scrollTop = top;
  else if (top + 3 * rowHeight > viewport.scrollTop + viewport.clientHeight)
    viewport.scrollTop = top + 3 * rowHeight - viewport.clientHeight;
  if (open >= 0) at.set({ open: row.id }, true);
  requestAnimationFrame(() => viewport.querySelector<HTMLElement>(`[data-place="${place}"]`)?.focus());
}
