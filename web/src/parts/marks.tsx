import { share } from "../format.ts";
import type { Label } from "../words.ts";

const SHOWN: Record<string, string> = { GOOD: "Good", REVIEW: "Review", BAD: "Bad" };

/** A label, in words and in colour. */
export function LabelMark({ label }: { label: Label | string | null }) {
  if (label === null) return <span class="mark mark-none">Unlabelled</span>;
  return <span class={`mark mark-${label.toLowerCase()}`}>{SHOWN[label] ?? label}</span>;
}

/** A bar for a share of 0…1, beside a number that says the same. */
export function Bar({ value, tone = "accent" }: { value: number; tone?: string }) {
  return (
    <svg class={`bar tone-${tone}`} viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
      <rect class="bar-rest" width="100" height="6" rx="1" />
      <rect class="bar-part" width={Math.max(0, Math.min(1, value)) * 100} height="6" rx="1" />
    </svg>
  );
}

/** How sure somebody is, 0…1. */
export function Confidence({ value }: { value: number | null }) {
  if (value === null) return <span class="muted">–</span>;
  const tone = value < 0.5 ? "bad" : value < 0.8 ? "review" : "good";
  return (
    <span class="confidence">
      <Bar value={value} tone={tone} />
      <span class="number">{share(value)}</span>
    </span>
  );
}

type SparklineProps = {
  values: ReadonlyArray<number | null>;
  tone?: string;
  /** Whether the last step isn't over: it can't be held against the others yet. */
  isOpen?: boolean;
};

/** A line without axes. */
export function Sparkline({ values, tone = "accent", isOpen = false }: SparklineProps) {
  const known = values.filter((value): value is number => value !== null);
  if (known.length < 2) return <svg class="sparkline" viewBox="0 0 100 28" aria-hidden="true" />;
  const [low, high] = [Math.min(...known, 0), Math.max(...known)];
  const y = (value: number) => (high === low ? 14 : 26 - ((value - low) / (high - low)) * 24);
  const points = values.map((value, place) =>
    value === null ? null : `${((place / (values.length - 1)) * 100).toFixed(2)} ${y(value).toFixed(2)}`,
  );
  const settled = isOpen ? points.slice(0, -1) : points;
  return (
    <svg class={`sparkline tone-${tone}`} viewBox="0 0 100 28" preserveAspectRatio="none" aria-hidden="true">
      <path d={path(settled)} />
      {isOpen && <path class="unsettled" d={path(points.slice(-2))} />}
    </svg>
  );
}

/** Draw from point to point; where one is missing, the line is broken. */
function path(points: ReadonlyArray<string | null>): string {
  return points
    .map((point, place) => (point === null ? "" : `${place === 0 || points[place - 1] === null ? "M" : "L"}${point}`))
    .join("");
}
