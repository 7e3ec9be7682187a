// What an isolate holds.

import type { Totals } from './types.ts';

/** What an isolate holds for one destination. Plain data only: what does I/O belongs to the request that made it. */
export interface Outbox {
  waiting: Line[];
  waitingBytes: number;
  heldBytes: number; // waiting, and on their way
  flights: Set<Flight>;
  awayUntil: number;
  drainingUntil: number;
  spoolMayHold: boolean; // true at first: an isolate doesn't know what others have left
  totals: Totals;
}

export interface Line {
  text: string;
  bytes: number;
  at: number; // when it was tracked, epoch milliseconds
  flights: number; // how often it was on its way
}

/** Lines on their way. When `until` has passed, the request that had them was ended by the runtime, which tells nobody. */
export interface Flight {
  lines: Line[];
  bytes: number;
  until: number;
}

const outboxes = new Map<string, Outbox>();

/** Of one destination: its address and key. */
export function outboxOf(destination: string): Outbox {
  let box = outboxes.get(destination);
  if (!box) {
    const totals = { tracked: 0, delivered: 0, spooled: 0, dropped: 0 };
    const none = { waitingBytes: 0, heldBytes: 0, awayUntil: 0, drainingUntil: 0 };
    box = { ...none, waiting: [], flights: new Set(), spoolMayHold: true, totals };
    outboxes.set(destination, box);
  }
  return box;
}

/** Puts lines to those that wait, in front of them. */
export function putBack(box: Outbox, lines: Line[]): void {
  box.waiting = [...lines, ...box.waiting];
  for (const { bytes } of lines) box.waitingBytes += bytes;
}

/** Takes from those that wait what makes up a batch: so many lines, so many bytes, one at least. */
export function takeOff(box: Outbox, maxLines: number, maxBytes: number): { lines: Line[]; bytes: number } {
  let count = 1;
  let bytes = box.waiting[0]?.bytes ?? 0;
  for (; count < Math.min(box.waiting.length, maxLines); count += 1) {
    const next = box.waiting[count]?.bytes ?? 0;
    if (bytes + next > maxBytes) break;
    bytes += next;
  }
  box.waitingBytes -= bytes;
  return { lines: box.waiting.splice(0, count), bytes };
}
