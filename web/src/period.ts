/** Windows of time, as the address has them and as people call them. */

export const PERIODS = [
  ["1h", "Last hour"],
  ["24h", "Last 24 hours"],
  ["7d", "Last 7 days"],
  ["30d", "Last 30 days"],
  ["90d", "Last 90 days"],
  ["all", "All time"],
] as const;
export const DEFAULT_PERIOD = "7d";

export type Step = "minute" | "hour" | "day" | "week" | "month";
export const STEPS: readonly Step[] = ["minute", "hour", "day", "week", "month"];

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const UNITS: Record<string, number> = { m: MINUTE, h: HOUR, d: DAY };
const STEP_MS: Record<Step, number> = { minute: MINUTE, hour: HOUR, day: DAY, week: 7 * DAY, month: 30 * DAY };
/** So many points are as many as a chart shows well. */
const MOST_POINTS = 200;

/** Give the length of a window in milliseconds; `null` where it has no beginning. */
export function length(search: URLSearchParams, now: number): number | null {
  const from = search.get("from");
  if (from !== null) return Math.max(0, (moment(search.get("to")) ?? now) - (moment(from) ?? now));
  if (search.get("to") !== null) return null;
  const found = /^(\d+)([mhd])$/.exec(search.get("period") ?? DEFAULT_PERIOD);
  return found ? Number(found[1]) * (UNITS[found[2] ?? ""] ?? 0) : null;
}

/** Choose steps that are neither too many nor too few; days where the window has no beginning. */
export function stepOf(search: URLSearchParams, now: number): Step {
  const window = length(search, now);
  if (window === null) return "day";
  return STEPS.find((step) => window / STEP_MS[step] <= (step === "day" ? 2 : 1) * (MOST_POINTS / 2)) ?? "month";
}

/** Say which window it is. */
export function named(search: URLSearchParams): string {
  const [from, to] = [moment(search.get("from")), moment(search.get("to"))];
  if (from !== null || to !== null) {
    const [start, end] = [from === null ? "the start" : short(from), to === null ? "now" : short(to)];
    return start === end ? start : `${start} – ${end}`;
  }
  const period = search.get("period") ?? DEFAULT_PERIOD;
  return (
    PERIODS.find(([name]) => name === period)?.[1] ?? (/^\d{1,6}[mhd]$/.test(period) ? `Last ${period}` : "Period")
  );
}

/** Read a moment as the address has it. */
export function moment(text: string | null): number | null {
  if (text === null) return null;
  const found = /^\d{1,15}$/.test(text) ? Number(text) : Date.parse(text);
  return Number.isNaN(found) ? null : found;
}

/** Give the first or the last moment of a day of the calendar (`2026-01-31`) by the clock here, as ISO 8601. */
export function edge(day: string, end: boolean): string | null {
  const found = new Date(`${day}T${end ? "23:59:59.999" : "00:00:00.000"}`);
  return Number.isNaN(found.getTime()) ? null : found.toISOString();
}

/** Give the day of the calendar that a moment is in, by the clock here. */
export function dayOf(at: number): string {
  const local = new Date(at - new Date(at).getTimezoneOffset() * MINUTE);
  return local.toISOString().slice(0, 10);
}

function short(at: number): string {
  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" }).format(at);
  const inDay = at % DAY !== 0 && new Date(at).getMinutes() + new Date(at).getHours() > 0;
  const last = new Date(at).getHours() === 23 && new Date(at).getMinutes() === 59;
  return inDay && !last ? `${day}, ${new Intl.DateTimeFormat(undefined, { timeStyle: "short" }).format(at)}` : day;
}
