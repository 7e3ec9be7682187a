import type { ComponentChildren } from "preact";

type Props = { name: string; value: string; aside?: ComponentChildren; isBad?: boolean };

/** A name, what it is now, and a few words more. */
export function Value({ name, value, aside, isBad = false }: Props) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <b class={isBad ? "strong-bad" : ""}>{value}</b> {aside && <span class="muted">{aside}</span>}
      </dd>
    </div>
  );
}
