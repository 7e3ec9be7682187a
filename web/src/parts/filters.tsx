import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Navigation } from "../navigation.ts";
import { FILTERS, type Filter } from "../words.ts";
import { Icon } from "./icons.tsx";
import { Picker } from "./picker.tsx";
import { enter, Popover } from "./popover.tsx";

const CLEARED = Object.fromEntries(FILTERS.map(({ name }) => [name, null]));

/** What is filtered by, as chips; and more to filter by. */
export function Filters({ at }: { at: Navigation }) {
  const active = FILTERS.filter(({ name }) => name !== "store" && at.search.getAll(name).length > 0);
  const isFiltered = active.length > 0 || at.search.has("store");
  return (
    <fieldset class="filters">
      <legend class="hidden">Filters</legend>
      {active.map((filter) => (
        <Chip key={filter.name} filter={filter} at={at} />
      ))}
      <AddFilter at={at} />
      {isFiltered && (
        <button type="button" class="button quiet" onClick={() => at.set(CLEARED)}>
          Clear all
        </button>
      )}
    </fieldset>
  );
}

function Chip({ filter, at }: { filter: Filter; at: Navigation }) {
  const values = at.search.getAll(filter.name);
  const said = values.length > 2 ? `${values.length} values` : values.join(", ");
  return (
    <span class="chip">
      <Popover
        className="chip-face"
        label={`Change the filter ${filter.label}: ${said.slice(0, 100)}`}
        face={
          <>
            <span class="muted">{filter.label}</span> <bdi class="clipped">{said}</bdi>
          </>
        }
      >
        {(close) => <Editor filter={filter} at={at} close={close} />}
      </Popover>
      <button
        type="button"
        class="chip-off"
        aria-label={`Remove the filter ${filter.label}`}
        onClick={() => at.set({ [filter.name]: null })}
      >
        <Icon name="close" size={12} />
      </button>
    </span>
  );
}

function AddFilter({ at }: { at: Navigation }) {
  return (
    <Popover
      className="button quiet"
      label="Add a filter"
      face={
        <>
          <Icon name="plus" size={14} /> Filter
        </>
      }
    >
      {(close) => <Menu at={at} close={close} />}
    </Popover>
  );
}

function Menu({ at, close }: { at: Navigation; close: () => void }) {
  const [chosen, setChosen] = useState<Filter | null>(null);
  const panel = useRef<HTMLElement | null>(null);
  // What was chosen with is gone; whoever goes by the keyboard goes on in its place.
  useLayoutEffect(() => {
    if (chosen && panel.current) enter(panel.current);
  }, [chosen]);
  if (chosen) return <Editor filter={chosen} at={at} close={close} />;
  return (
    <ul
      class="menu"
      ref={(list) => {
        panel.current = list?.closest<HTMLElement>(".popover") ?? panel.current;
      }}
    >
      {FILTERS.filter(({ name }) => name !== "store").map((filter) => (
        <li key={filter.name}>
          <button type="button" onClick={() => setChosen(filter)}>
            {filter.label}
            <Icon name="right" size={14} />
          </button>
        </li>
      ))}
    </ul>
  );
}

function Editor({ filter, at, close }: { filter: Filter; at: Navigation; close: () => void }) {
  const values = at.search.getAll(filter.name);
  if (filter.kind === "choice")
    return (
      <>
        <p class="popover-title">{filter.label}</p>
        <Picker
          name={filter.name}
          search={at.search}
          chosen={values}
          onChange={(next) => at.set({ [filter.name]: next })}
        />
      </>
    );
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    at.set({ [filter.name]: String(form.get("value") ?? "").trim() || null });
    close();
  };
  return (
    <form class="editor" onSubmit={submit}>
      <label>
        {filter.label}
        <input
          name="value"
          data-first
          type="text"
          inputMode={filter.kind === "number" ? "decimal" : "text"}
          pattern={filter.kind === "number" ? "[0-9]*[.]?[0-9]+" : undefined}
          maxLength={2_000}
          defaultValue={values[0] ?? ""}
          placeholder={filter.hint}
        />
      </label>
      <button type="submit" class="button primary">
        Apply
      </button>
    </form>
  );
}
