import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Details, Turn, Verdict } from "../api.ts";
import { amount, count, dollars, duration, moment, share } from "../format.ts";
import type { Navigation } from "../navigation.ts";
import { Icon } from "../parts/icons.tsx";
import { LabelMark } from "../parts/marks.tsx";
import { useMedia } from "../parts/media.ts";
import { Content } from "../parts/panel.tsx";
import { useResource } from "../resource.ts";
import { CAUSES, reason } from "../words.ts";
import { Said } from "./exchange.tsx";

/** What was used to open it; it outlives a drawer that gives way to that of another turn. */
let opener: HTMLElement | null = null;

/** Let all else be out of reach while the drawer lies over it, or within reach again. */
function bar(on: boolean): void {
  for (const other of document.querySelectorAll<HTMLElement>("#app > :not(.drawer, .veil, [role=status])"))
    other.inert = on;
}

/** One interaction, whole: beside the list where there is room, else over whatever is shown. */
export function Drawer({ id, at }: { id: string; at: Navigation }) {
  const found = useResource<Details>(`interactions/${encodeURIComponent(id)}`);
  const title = useRef<HTMLHeadingElement>(null);
  const isBeside = useMedia("(min-width: 1200px)") && at.view === "browse";
  const close = () => {
    const isInList = document.activeElement?.closest(".list") != null;
    bar(false);
    at.set({ open: null });
    if (isInList) return;
    (opener?.isConnected ? opener : document.getElementById("main"))?.focus();
    opener = null;
  };
  useLayoutEffect(() => {
    const active = document.activeElement;
    if (active instanceof HTMLElement && active !== document.body && !active.closest(".drawer")) opener = active;
    // Who goes through the list by the keyboard stays in it.
    const isInList = active instanceof HTMLElement && active.dataset.place !== undefined;
    if (!isBeside || !isInList) title.current?.focus();
    bar(!isBeside);
    return () => bar(false);
  }, [isBeside]);
  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !event.defaultPrevented) close();
    };
    document.addEventListener("keydown", key);
    return () => document.removeEventListener("keydown", key);
  });
  return (
    <>
      {!isBeside && <div class="veil" aria-hidden="true" onPointerDown={close} />}
      <Sheet isBeside={isBeside}>
        <header class="drawer-head">
          <h2 id="drawer-title" ref={title} tabIndex={-1}>
            Interaction
          </h2>
          <button type="button" class="button icon-only" aria-label="Close" onClick={close}>
            <Icon name="close" />
          </button>
        </header>
        <div class="drawer-body">
          <Content from={found} rows={10}>
            {(details) => <Whole details={details} at={at} />}
          </Content>
        </div>
      </Sheet>
    </>
  );
}

function Sheet({ isBeside, children }: { isBeside: boolean; children: ComponentChildren }) {
  const said = { class: "drawer", "aria-labelledby": "drawer-title" };
  if (isBeside) return <aside {...said}>{children}</aside>;
  return (
    <div {...said} role="dialog" aria-modal="true">
      {children}
    </div>
  );
}

function Whole({ details, at }: { details: Details; at: Navigation }) {
  const { query, outcome } = details;
  return (
    <>
      <p class="muted drawer-when">
        {moment(query.createdAt, true)} · <bdi>{query.storeId}</bdi>
      </p>
      <Said query={query} outcome={outcome} saidAgain={details.saidAgain?.queryText ?? null} />
      <Judged details={details} />
      <Facts details={details} />
      {details.conversions.length > 0 && (
        <section>
          <h3>Bought</h3>
          <ul class="plain">
            {details.conversions.map((one) => (
              <li key={one.id}>
                <b>{amount(one.value, one.currency)}</b>{" "}
                <span class="muted">
                  {moment(one.occurredAt)}
                  {one.orderId && <bdi> · {one.orderId}</bdi>}
                </span>
              </li>
            ))}
          </ul>
        </section>
      )}
      {details.turns.length > 1 && <Conversation details={details} at={at} />}
      <Extra title="Sent with the query" extra={query.extra} />
      <Extra title="Sent with the outcome" extra={outcome?.extra ?? null} />
    </>
  );
}

function Judged({ details }: { details: Details }) {
  return (
    <section>
      <h3>Verdict</h3>
      {details.verdict ? (
        <Verdicts all={[details.verdict, ...details.history]} />
      ) : (
        <p class="muted">Not labelled yet.</p>
      )}
      {details.cause !== null && (
        <p>
          Broke at: <b>{CAUSES[details.cause]?.name ?? details.cause}</b>{" "}
          <span class="muted">({CAUSES[details.cause]?.meaning.toLowerCase()})</span>
        </p>
      )}
    </section>
  );
}

function Verdicts({ all }: { all: Verdict[] }) {
  return (
    <ol class="verdicts">
      {all.map((verdict, place) => (
        <li key={`${verdict.evaluatedAt} ${verdict.method}`} class={place > 0 ? "past" : ""}>
          <div class="row">
            <LabelMark label={verdict.label} />
            <span dir="auto">{reason(verdict.reason)}</span>
            <span class="muted number">{share(verdict.confidence)} sure</span>
          </div>
          {verdict.explanation && (
            <p dir="auto" class="long">
              {verdict.explanation}
            </p>
          )}
          <p class="muted small">
            {verdict.evaluatedBy === "human" ? "By a person" : "By"} <bdi>{verdict.method}</bdi>,{" "}
            {moment(verdict.evaluatedAt)}
            {place > 0 && " (replaced)"}
          </p>
        </li>
      ))}
    </ol>
  );
}

function Facts({ details }: { details: Details }) {
  const { query, outcome } = details;
  const tokens = outcome && (outcome.tokensTotal ?? sum(outcome.tokensPrompt, outcome.tokensCompletion));
  const facts: Array<[string, string | null]> = [
    ["Intent", query.intent],
    ["Action", outcome?.actionTaken ?? null],
    ["Succeeded", outcome?.actionSuccess == null ? null : outcome.actionSuccess ? "Yes" : "No"],
    ["Tools", outcome?.toolCalls?.map(toolName).join(", ") || null],
    ["Latency", outcome?.latencyMs == null ? null : duration(outcome.latencyMs)],
    ["Cost", outcome?.costUsd == null ? null : dollars(outcome.costUsd)],
    ["Tokens", tokens == null ? null : count(tokens)],
    ["Model", outcome?.modelName ?? null],
    ["Audio", query.audioDurationMs === null ? null : duration(query.audioDurationMs)],
    ["Fast path", query.fastPath ? "Yes" : null],
    ["Session", query.sessionId],
    ["User", query.userId],
    ["Id", query.id],
    ["Correlation", query.correlationId],
  ];
  return (
    <dl class="facts">
      {facts.map(
        ([name, value]) =>
          value !== null && (
            <div key={name}>
              <dt>{name}</dt>
              <dd dir="auto">{value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

function sum(a: number | null, b: number | null): number | null {
  return a === null && b === null ? null : (a ?? 0) + (b ?? 0);
}

function toolName(call: unknown): string {
  if (typeof call === "string") return call;
  if (typeof call === "object" && call !== null && "name" in call) return String(call.name);
  return JSON.stringify(call);
}

function Conversation({ details, at }: { details: Details; at: Navigation }) {
  const start = details.turns[0]?.createdAt ?? 0;
  return (
    <section>
      <h3>The session’s {count(details.turns.length)} turns</h3>
      <ol class="turns">
        {details.turns.map((turn) => (
          <TurnRow key={turn.id} turn={turn} start={start} isThis={turn.id === details.query.id} at={at} />
        ))}
      </ol>
    </section>
  );
}

type TurnProps = { turn: Turn; start: number; isThis: boolean; at: Navigation };

function TurnRow({ turn, start, isThis, at }: TurnProps) {
  const after = turn.createdAt - start;
  return (
    <li class={isThis ? "this" : ""}>
      <a href={at.to(at.view, { open: turn.id })} data-here aria-current={isThis ? "true" : undefined}>
        <span class="number muted">{after === 0 ? "start" : `+${duration(after)}`}</span>
        <span class="turn-text">
          <bdi class="clipped">{turn.queryText.slice(0, 300)}</bdi>
          <bdi class="clipped muted">{turn.answerText?.slice(0, 300) ?? "No answer"}</bdi>
          {(turn.rephrased || turn.repeated) && (
            <span class="again">{turn.repeated ? "said again" : "said again in other words"}</span>
          )}
        </span>
        <LabelMark label={turn.label} />
      </a>
    </li>
  );
}

function Extra({ title, extra }: { title: string; extra: unknown }) {
  if (extra === null || extra === undefined) return null;
  return (
    <details class="extra">
      <summary>{title}</summary>
      <pre tabIndex={0}>{JSON.stringify(extra, null, 2)}</pre>
    </details>
  );
}
