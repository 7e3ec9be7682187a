import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { question } from "../asking.ts";
import { count } from "../format.ts";
import { useResource } from "../resource.ts";
import { changed } from "../route.ts";
import { type Choice, choices, endpoint, fixed } from "./choices.ts";
import { Skeleton, Trouble } from "./panel.tsx";
import { enter } from "./popover.tsx";

type Props = {
  name: string;
  search: URLSearchParams;
  chosen: readonly string[];
  onChange: (values: string[]) => void;
};

const MOST_SHOWN = 200;

/** A list of values to tick, with a box to search in it. */
export function Picker({ name, search, chosen, onChange }: Props) {
  const from = endpoint(name);
  // Without its own filter, so that what isn't chosen can be.
  const around = changed(search, { [name]: null });
  const answer = useResource<unknown>(from ? question(from.path, around, from.more) : null);
  const [sought, setSought] = useState("");
  const id = useId();
  const isHere = from === null || answer.data !== null;
  const root = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const panel = root.current?.closest<HTMLElement>(".popover");
    if (isHere && panel && document.activeElement === panel) enter(panel);
  }, [isHere]);
  if (from && answer.data === null)
    return answer.problem ? <Trouble problem={answer.problem} /> : <Skeleton rows={4} />;
  const all = withChosen(from ? choices(name, answer.data) : fixed(name), chosen);
  const fitting = all.filter(({ text }) => text.toLowerCase().includes(sought.toLowerCase()));
  const found = fitting.slice(0, MOST_SHOWN);
  // The list holds the largest; whoever knows another one's name can still choose it.
  const typed = sought.trim();
  const isOther = from !== null && typed !== "" && !all.some(({ value }) => value === typed);
  const toggle = (value: string) =>
    onChange(chosen.includes(value) ? chosen.filter((one) => one !== value) : [...chosen, value]);
  return (
    <div class="picker" ref={root}>
      {all.length > 8 && (
        <input
          type="search"
          placeholder="Find…"
          aria-label="Find in the list"
          data-first
          value={sought}
          onInput={(event) => setSought(event.currentTarget.value)}
        />
      )}
      <ul>
        {found.map(({ value, text, count: queries }, place) => (
          <li key={value}>
            <input
              id={`${id}-${place}`}
              type="checkbox"
              checked={chosen.includes(value)}
              onChange={() => toggle(value)}
            />
            <label for={`${id}-${place}`}>
              <bdi>{text}</bdi>
              {queries !== null && <span class="number muted">{count(queries)}</span>}
            </label>
          </li>
        ))}
      </ul>
      {fitting.length > found.length && (
        <p class="muted small" role="status">
          The first {count(found.length)} of {count(fitting.length)}; type to find others.
        </p>
      )}
      {found.length === 0 && <p class="empty">Nothing like that in this window.</p>}
      {isOther && (
        <button type="button" class="button small" onClick={() => toggle(typed)}>
          Choose “<bdi class="clipped">{typed.slice(0, 80)}</bdi>”
        </button>
      )}
    </div>
  );
}

function withChosen(all: Choice[], chosen: readonly string[]): Choice[] {
  const missing = chosen.filter((value) => !all.some((one) => one.value === value));
  return [...missing.map((value) => ({ value, text: value, count: null })), ...all];
}
