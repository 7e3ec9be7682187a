import { useId, useState } from "preact/hooks";
import { NOTHING } from "../format.ts";
import type { Line } from "./drawing.ts";
import { Icon } from "./icons.tsx";

type Props = {
  at: readonly number[];
  lines: readonly Line[];
  write: (value: number | null) => string;
  name: (at: number) => string;
};

/** What a chart shows, as numbers, for who asks for them. */
export function Series(props: Props) {
  const [isOpen, setOpen] = useState(false);
  const id = useId();
  return (
    <>
      <button
        type="button"
        class="more as-table"
        aria-expanded={isOpen}
        aria-controls={isOpen ? id : undefined}
        onClick={() => setOpen(!isOpen)}
      >
        <Icon name={isOpen ? "down" : "right"} size={14} /> Numbers
      </button>
      {isOpen && (
        <div id={id}>
          <Table {...props} />
        </div>
      )}
    </>
  );
}

function Table({ at, lines, write, name }: Props) {
  return (
    <div class="scroller tall" tabIndex={0} role="region" aria-label="The chart’s numbers">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">When</th>
            {lines.map((line) => (
              <th key={line.label} scope="col" class="right">
                {line.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {at
            .map((moment, place) => (
              <tr key={moment}>
                <th scope="row">{name(moment)}</th>
                {lines.map((line) => (
                  <td key={line.label} class="number">
                    {line.values[place] == null ? NOTHING : write(line.values[place] ?? null)}
                  </td>
                ))}
              </tr>
            ))
            .reverse()}
        </tbody>
      </table>
    </div>
  );
}
