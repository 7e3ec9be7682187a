// What an isolate holds.

import type { Totals } from './types.ts';

/** What an isolate holds for one destination. Plain data only: what does I/O belongs to the request that made it. */
export interface Outbox {
  waiting: Line[];
  waitingBytes: number;
  heldBytes: number; // waiting, and on their way
  awayUntil: number;
  drainingUntil: number;
  spoolMayHold: boolean; // true at first: an isolate doesn't know what others have left
  totals: Totals;
}

export interface Line {
  text: string;
  bytes: number;
  at: number; // when it was tracked, epoch milliseconds
}

const outboxes = new Map<string, Outbox>();

/** Of one destination: its address and key. */
export function outboxOf(destination: string): Outbox {
  let box = outboxes.get(destination);
  if (!box) {
    const totals = { tracked: 0, delivered: 0, spooled: 0, dropped: 0 };
    const none = { waitingBytes: 0, heldBytes: 0, awayUntil: 0, drainingUntil: 0 };
    box = { ...none, waiting: [], spoolMayHold: true, totals };
    outboxes.set(destination, box);
  }
  return box;
}
