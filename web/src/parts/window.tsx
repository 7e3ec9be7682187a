import type { Navigation } from "../navigation.ts";
import { DEFAULT_PERIOD, dayOf, edge, moment, named, PERIODS } from "../period.ts";
import { useSession } from "../session.ts";
import { Icon } from "./icons.tsx";
import { Picker } from "./picker.tsx";
import { Popover } from "./popover.tsx";

/** Which window of time, and whether it is compared. */
export function WindowPicker({ at }: { at: Navigation }) {
  return (
    <Popover
      align="end"
      label={`Period: ${named(at.search)}`}
      face={
        <>
          <Icon name="calendar" /> <span>{named(at.search)}</span> <Icon name="down" size={14} />
        </>
      }
    >
      {(close) => <Windows at={at} close={close} />}
    </Popover>
  );
}

function Windows({ at, close }: { at: Navigation; close: () => void }) {
  const isFree = at.search.has("from") || at.search.has("to");
  const current = isFree ? null : (at.search.get("period") ?? DEFAULT_PERIOD);
  return (
    <>
      <ul class="menu">
        {PERIODS.map(([name, words]) => (
          <li key={name}>
            <button
              type="button"
              aria-current={name === current}
              onClick={() => {
                at.set({ period: name, from: null, to: null });
                close();
              }}
            >
              {words}
            </button>
          </li>
        ))}
      </ul>
      <Range at={at} close={close} />
      <label class="tick">
        <input
          type="checkbox"
          checked={at.search.get("compare") !== "none"}
          onChange={(event) => at.set({ compare: event.currentTarget.checked ? null : "none" })}
        />
        Compare with the period before
      </label>
    </>
  );
}

function Range({ at, close }: { at: Navigation; close: () => void }) {
  const [from, to] = [moment(at.search.get("from")), moment(at.search.get("to"))];
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const days = [String(form.get("from") ?? ""), String(form.get("to") ?? "")].filter(Boolean).sort();
    const [first, last] = [days[0], days.at(-1)];
    if (!first || !last) return;
    at.set({ period: null, from: edge(first, false), to: edge(last, true) });
    close();
  };
  return (
    <form class="range" onSubmit={submit}>
      <label>
        From <input type="date" name="from" required defaultValue={from === null ? "" : dayOf(from)} />
      </label>
      <label>
        To <input type="date" name="to" required defaultValue={to === null ? dayOf(Date.now()) : dayOf(to)} />
      </label>
      <button type="submit" class="button">
        Show these days
      </button>
    </form>
  );
}

/** Which stores; of a key that sees only some, those. */
export function StorePicker({ at }: { at: Navigation }) {
  const own = useSession().who?.stores ?? null;
  const chosen = at.search.getAll("store");
  const all = own === null ? "All stores" : own.length === 1 ? (own[0] ?? "") : `All ${own.length} stores`;
  const words = chosen.length === 0 ? all : chosen.length === 1 ? chosen[0] : `${chosen.length} stores`;
  if (own?.length === 1 && chosen.length === 0)
    return (
      <span class="only-store">
        <Icon name="store" /> <bdi class="clipped">{words}</bdi>
      </span>
    );
  return (
    <Popover
      label={`Stores: ${(words ?? "").slice(0, 100)}`}
      face={
        <>
          <Icon name="store" /> <bdi class="clipped">{words}</bdi> <Icon name="down" size={14} />
        </>
      }
    >
      {() => <Picker name="store" search={at.search} chosen={chosen} onChange={(next) => at.set({ store: next })} />}
    </Popover>
  );
}
