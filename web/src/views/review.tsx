import { useEffect, useState } from "preact/hooks";
import type { Details, QueueItem } from "../api.ts";
import { question } from "../asking.ts";
import { count, duration, moment, share } from "../format.ts";
import type { Navigation } from "../navigation.ts";
import { Icon } from "../parts/icons.tsx";
import { LabelMark } from "../parts/marks.tsx";
import { Skeleton, Trouble } from "../parts/panel.tsx";
import { useResource } from "../resource.ts";
import { reviewer, setReviewer, why } from "../reviewing.ts";
import { agreeing, useSitting } from "../sitting.ts";
import { LABELS, type Label, reason } from "../words.ts";
import { Agreed } from "./agreed.tsx";
import { Said } from "./exchange.tsx";
import { Missing } from "./missing.tsx";

const KEYS: Record<string, Label> = { g: "GOOD", r: "REVIEW", b: "BAD" };
const NAMES: Record<Label, string> = { GOOD: "Good", REVIEW: "Review", BAD: "Bad" };

/** People label what is most worth their minute. */
export function Review({ at }: { at: Navigation }) {
  const [name, setName] = useState(reviewer);
  if (!name)
    return (
      <Who
        onName={(given) => {
          setReviewer(given);
          setName(given);
        }}
      />
    );
  return (
    <div class="columns wide-left">
      <Desk at={at} name={name} onLeave={() => setName("")} />
      <Agreed at={at} />
    </div>
  );
}

function Who({ onName }: { onName: (name: string) => void }) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement).get("name");
    if (typeof given === "string" && given.trim()) onName(given.trim());
  };
  return (
    <section class="nothing">
      <h2>Say how good the answers are</h2>
      <p>
        What a machine has labelled and is least sure of comes first. A person’s label takes the place of the machine’s,
        and shows how far the machine can be trusted. Nobody else is given what you are looking at.
      </p>
      <form class="row" onSubmit={submit}>
        <label class="named">
          Your name <input type="text" name="name" maxLength={100} required autocomplete="name" />
        </label>
        <button type="submit" class="button primary">
          Begin
        </button>
      </form>
    </section>
  );
}

type DeskProps = { at: Navigation; name: string; onLeave: () => void };

function Desk({ at, name, onLeave }: DeskProps) {
  const order = at.search.get("queue") === "random" ? "random" : "value";
  const sitting = useSitting(question("evaluations/queue", at.search, { order }), name);
  const [isShown, setShown] = useState(false);
  // Letters that do something are in the way of who dictates, or steers by the voice.
  const [hasKeys, setKeys] = useState(true);
  const [item] = sitting.items;
  const id = item?.interaction.id;
  useEffect(() => setShown(false), [id]);
  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      if (!hasKeys || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const given = KEYS[event.key.toLowerCase()];
      if (given) sitting.decide(given);
      else if (event.key === "u" || event.key === "z") sitting.undo();
      else if (event.key === "s") sitting.skip();
      else if (event.key === "m") setShown((before) => !before);
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", key);
    return () => document.removeEventListener("keydown", key);
  });
  if (sitting.problem?.status === 404 && !item) return <Missing what="a queue for people who label" />;
  return (
    <section class="panel desk" aria-label="To be labelled">
      <header class="desk-head">
        <p role="status">
          <b>{count(sitting.done.length)}</b> done
          {sitting.done.length > 0 && <>, {count(agreeing(sitting))} as the machine said</>}
          {sitting.waiting !== null && <>, {count(sitting.waiting)} waiting</>}
        </p>
        <span class="muted">
          as <bdi>{name}</bdi>{" "}
          <button type="button" class="link" onClick={onLeave}>
            Change
          </button>
        </span>
        <span class="ticks">
          <label class="tick" title="G, R, B, S, U and M do what their buttons do">
            <input type="checkbox" checked={hasKeys} onChange={(event) => setKeys(event.currentTarget.checked)} />
            Keys
          </label>
          <label class="tick">
            <input
              type="checkbox"
              checked={order === "random"}
              onChange={(event) => at.set({ queue: event.currentTarget.checked ? "random" : null })}
            />
            At random
          </label>
        </span>
      </header>
      {sitting.problem && <Trouble problem={sitting.problem} />}
      {item ? (
        <Card key={id} item={item} isShown={isShown} onShow={() => setShown(!isShown)} />
      ) : sitting.isLoading ? (
        <Skeleton rows={6} />
      ) : (
        <p class="empty">Nothing waits for a person in this window. A longer one may have some.</p>
      )}
      <Buttons sitting={sitting} hasItem={item !== undefined} />
    </section>
  );
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input, select, textarea, [contenteditable]");
}

type ButtonsProps = { sitting: ReturnType<typeof useSitting>; hasItem: boolean };

function Buttons({ sitting, hasItem }: ButtonsProps) {
  const last = sitting.done.at(-1);
  return (
    <footer class="desk-foot">
      {LABELS.map((label) => (
        <button
          key={label}
          type="button"
          class={`verdict verdict-${label.toLowerCase()}`}
          disabled={!hasItem}
          onClick={() => sitting.decide(label)}
        >
          {NAMES[label]} <kbd>{label[0]}</kbd>
        </button>
      ))}
      <button type="button" class="button quiet" disabled={!hasItem} onClick={sitting.skip}>
        Skip <kbd>S</kbd>
      </button>
      <button type="button" class="button quiet" disabled={!last} onClick={sitting.undo}>
        Undo <kbd>U</kbd>
      </button>
      {last && (
        <p class="muted small" role="status">
          {NAMES[last.label]}: <bdi>{last.item.interaction.queryText.slice(0, 60)}</bdi>
          {last.saved === null ? ", being saved" : ", saved"}
        </p>
      )}
    </footer>
  );
}

type CardProps = { item: QueueItem; isShown: boolean; onShow: () => void };

function Card({ item, isShown, onShow }: CardProps) {
  const { interaction, verdict } = item;
  const found = useResource<Details>(`interactions/${encodeURIComponent(interaction.id)}`);
  const before = found.data?.turns.filter((turn) => turn.createdAt < interaction.createdAt).slice(-3) ?? [];
  return (
    <div class="card">
      <p class="muted small">
        {moment(interaction.createdAt)} · <bdi>{interaction.storeId}</bdi> · worth a look: {why(item.why)}
        {item.occurrences > 1 && ` (${count(item.occurrences)}×)`}
      </p>
      {before.length > 0 && (
        <ol class="before">
          {before.map((turn) => (
            <li key={turn.id}>
              <bdi class="clipped">{turn.queryText.slice(0, 300)}</bdi>
              <bdi class="clipped muted">{turn.answerText?.slice(0, 300) ?? "No answer"}</bdi>
            </li>
          ))}
        </ol>
      )}
      <Said
        query={{ ...interaction, querySource: interaction.querySource ?? "voice" }}
        outcome={
          interaction.answerText === null && interaction.latencyMs === null && interaction.errorFlag === null
            ? null
            : interaction
        }
        saidAgain={found.data?.saidAgain?.queryText ?? null}
      />
      <p class="card-facts muted">
        {[
          interaction.intent,
          interaction.actionTaken,
          done(interaction.actionSuccess),
          interaction.latencyMs !== null && duration(interaction.latencyMs),
        ]
          .filter(Boolean)
          .map((fact) => (
            <bdi key={String(fact)}>{fact}</bdi>
          ))}
      </p>
      <div class="machine">
        <button type="button" class="link" aria-expanded={isShown} onClick={onShow}>
          <Icon name={isShown ? "down" : "right"} size={14} /> What the machine said <kbd>M</kbd>
        </button>
        {isShown && (
          <p class="row">
            <LabelMark label={verdict.label} /> {reason(verdict.reason)}
            <span class="muted">{share(verdict.confidence)} sure</span>
            {verdict.explanation && <span dir="auto">{verdict.explanation}</span>}
          </p>
        )}
      </div>
    </div>
  );
}

function done(success: boolean | null): string | null {
  return success === null ? null : success ? "succeeded" : "failed";
}
