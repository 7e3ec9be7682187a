/** Numbers and moments as people read them. What is absent is a dash. */

export const NOTHING = "–";
type Maybe = number | null | undefined;

const plain = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const digit = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const tenths = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });

/** A count; in short from a hundred thousand on. */
export function count(value: Maybe): string {
  if (value == null) return NOTHING;
  return Math.abs(value) >= 100_000 ? compact.format(value) : plain.format(value);
}

/** A share of 0…1. */
export function share(value: Maybe): string {
  return value == null ? NOTHING : `${tenths.format(value * 100)}%`;
}

/** The same in a column, where all have as many digits. */
export function shareListed(value: Maybe): string {
  return value == null ? NOTHING : `${digit.format(value * 100)}%`;
}

/** A duration in milliseconds. */
export function duration(value: Maybe): string {
  if (value == null) return NOTHING;
  if (value < 1_000) return `${plain.format(value)} ms`;
  if (value < 60_000)
    return `${(value / 1_000).toLocaleString(undefined, { maximumFractionDigits: value < 10_000 ? 1 : 0 })} s`;
  const minutes = value / 60_000;
  if (minutes < 120) return `${plain.format(minutes)} min`;
  return minutes < 2_880 ? `${plain.format(minutes / 60)} h` : `${plain.format(minutes / 1_440)} days`;
}

/** Dollars; the smaller the sum, the more of its digits count. In short from a hundred thousand on. */
export function dollars(value: Maybe): string {
  if (value == null) return NOTHING;
  if (Math.abs(value) >= 100_000) return `${value < 0 ? "−" : ""}$${compact.format(Math.abs(value))}`;
  const digits = value === 0 || Math.abs(value) >= 1 ? 2 : Math.abs(value) >= 0.01 ? 3 : 5;
  return `$${value.toLocaleString(undefined, { minimumFractionDigits: 2, maximumFractionDigits: digits })}`;
}

/** What somebody paid, in the currency that an event named, whatever it is. */
export function amount(value: Maybe, currency: string | null | undefined): string {
  if (value == null) return NOTHING;
  try {
    return new Intl.NumberFormat(undefined, { style: "currency", currency: currency ?? "" }).format(value);
  } catch {
    return `${tenths.format(value)} ${currency ?? ""}`.trim();
  }
}

/** A change against the window before: a part of it, or points where the figure itself is a share. */
export function change(now: Maybe, before: Maybe, isShare: boolean): string | null {
  if (now == null || before == null) return null;
  if (isShare) return `${signed((now - before) * 100)} pts`;
  return before === 0 ? null : `${signed(((now - before) / before) * 100)}%`;
}

function signed(value: number): string {
  const rounded = Math.abs(value) < 0.05 ? 0 : value;
  return `${rounded > 0 ? "+" : rounded < 0 ? "−" : "±"}${(Math.abs(value) >= 100 ? plain : tenths).format(Math.abs(rounded))}`;
}

const toMinute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const toSecond = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const dayOnly = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });
const monthOnly = new Intl.DateTimeFormat(undefined, { month: "long", year: "numeric" });
const hourOnly = new Intl.DateTimeFormat(undefined, {
  ...{ weekday: "short", day: "numeric", month: "short" },
  ...{ hour: "numeric", minute: "2-digit" },
});
const dayAndMonth = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const shortMonth = new Intl.DateTimeFormat(undefined, { month: "short", year: "numeric" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const dayAndClock = new Intl.DateTimeFormat(undefined, {
  ...{ day: "numeric", month: "short", hour: "numeric", minute: "2-digit" },
});

/** A moment, to the minute or the second. */
export function moment(at: Maybe, exact = false): string {
  return at == null ? NOTHING : (exact ? toSecond : toMinute).format(at);
}

/** A moment in a list: today only the clock. */
export function listed(at: number, now: number): string {
  return new Date(at).toDateString() === new Date(now).toDateString() ? clock.format(at) : dayAndClock.format(at);
}

/** A mark under an axis: as short as the distance of marks (seconds) allows. */
export function tick(at: number, apart: number): string {
  if (apart < 86_400) return clock.format(at);
  return (apart < 28 * 86_400 ? dayAndMonth : shortMonth).format(at);
}

/** Where a step of a series begins. */
export function step(at: number, name: string): string {
  if (name === "month") return monthOnly.format(at);
  if (name === "week") return `Week of ${dayOnly.format(at)}`;
  return name === "day" ? dayOnly.format(at) : hourOnly.format(at);
}

/** How long ago it was. */
export function ago(at: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - at) / 1_000));
  if (seconds < 60) return "just now";
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ago`;
  const days = Math.floor(seconds / 86_400);
  return days === 1 ? "yesterday" : `${days} days ago`;
}
