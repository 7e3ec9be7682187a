/** Knowing that something has changed: the server says so, and the page then asks anew, at most once a second. */

import { useEffect, useState } from "preact/hooks";
import { base } from "./api.ts";

export type Liveness = "live" | "paused" | "connecting" | "lost";

const PAUSE_MS = 1_000;
/** Windows that reach back from the present move on, also where nothing happens. */
const ANYWAY_MS = 60_000;

let pulse = 0;
let liveness: Liveness = "connecting";
let wanted = true;
/** Nobody is signed in, so that there is nothing to listen to. */
let barred = false;
let source: EventSource | null = null;
let position: string | null = null;
let last = 0;
let due: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<() => void>();

function tell(): void {
  for (const listener of listeners) listener();
}

function become(state: Liveness): void {
  if (liveness === state) return;
  liveness = state;
  tell();
}

function beat(): void {
  due = undefined;
  last = Date.now();
  pulse += 1;
  tell();
}

function changedNow(): void {
  if (due === undefined) due = setTimeout(beat, Math.max(0, last + PAUSE_MS - Date.now()));
}

function connect(): void {
  source?.close();
  become("connecting");
  source = new EventSource(`${base()}stats/live`);
  source.addEventListener("open", () => become("live"));
  source.addEventListener("error", () => become(source?.readyState === EventSource.CLOSED ? "lost" : "connecting"));
  source.addEventListener("change", (event) => {
    const seen = event.lastEventId;
    if (position !== null && seen !== position) changedNow();
    position = seen;
  });
}

function disconnect(): void {
  source?.close();
  source = null;
  become("paused");
}

function settle(): void {
  if (wanted && !barred && !document.hidden) connect();
  else disconnect();
}

/** Begin to listen; a page that nobody sees doesn't. */
export function startLive(): void {
  position = null;
  document.addEventListener("visibilitychange", settle);
  // A connection that was given up by the browser is tried again; `ANYWAY_MS` is soon enough.
  setInterval(() => {
    if (!wanted || barred || document.hidden) return;
    if (source?.readyState === EventSource.CLOSED) connect();
    changedNow();
  }, ANYWAY_MS);
  settle();
}

/** Switch the following of changes on or off. */
export function follow(on: boolean): void {
  wanted = on;
  settle();
  if (on) changedNow();
}

/** Stop listening where nobody is signed in, or begin again. */
export function bar(on: boolean): void {
  if (barred === on) return;
  barred = on;
  settle();
}

/** Ask for everything anew, now. */
export function refresh(): void {
  changedNow();
}

/** Follow the beat: a number that grows with each change, and how the connection is. */
export function useLive(): { pulse: number; liveness: Liveness } {
  const [seen, setSeen] = useState({ pulse, liveness });
  useEffect(() => {
    const listener = () => setSeen({ pulse, liveness });
    listeners.add(listener);
    listener();
    return () => {
      listeners.delete(listener);
    };
  }, []);
  return seen;
}
