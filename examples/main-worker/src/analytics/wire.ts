// How a batch goes over the wire, and what its answer means.

export interface Batch {
  id: string; // the same for every try
  lines: string[];
  signedAt: number; // epoch seconds of the last signature: the service takes a moment once
}

export type Answer =
  | { kind: 'taken'; rejected: string[] }
  | { kind: 'wrong'; events: number; detail: string } // nothing of it will ever be taken
  | { kind: 'too large' }
  | { kind: 'refused'; detail: string } // by whoever answers there, until somebody changes a setting
  | { kind: 'away'; detail: string; afterMs: number };

export interface Packed {
  body: Uint8Array<ArrayBuffer>;
  gzipped: boolean;
}

const encoder = new TextEncoder();

export async function pack(lines: string[], gzipFrom: number): Promise<Packed> {
  const body = new Uint8Array(encoder.encode(lines.join('\n')));
  if (body.byteLength < gzipFrom) return { body, gzipped: false };
  const stream = new Blob([body]).stream().pipeThrough(new CompressionStream('gzip'));
  return { body: new Uint8Array(await new Response(stream).arrayBuffer()), gzipped: true };
}

/** Standard Webhooks: an HMAC over the id, the moment and the body as it goes over the wire. */
export async function sign(secret: string, batch: Batch, body: Uint8Array<ArrayBuffer>): Promise<Record<string, string>> {
  // A moment is taken once for an id: a further try within a second is signed for the next one.
  batch.signedAt = Math.max(Math.floor(Date.now() / 1000), batch.signedAt + 1);
  const raw = Uint8Array.from(atob(secret.replace(/^whsec_/, '')), (letter) => letter.charCodeAt(0));
  const key = await crypto.subtle.importKey('raw', raw, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  const head = encoder.encode(`${batch.id}.${batch.signedAt}.`);
  const message = new Uint8Array(head.byteLength + body.byteLength);
  message.set(head);
  message.set(body, head.byteLength);
  const mac = new Uint8Array(await crypto.subtle.sign('HMAC', key, message));
  return {
    'webhook-id': batch.id,
    'webhook-timestamp': String(batch.signedAt),
    'webhook-signature': `v1,${btoa(String.fromCharCode(...mac))}`,
  };
}

export async function read(response: Response, sent: number): Promise<Answer> {
  const { status } = response;
  const text = await response.text();
  const told = parsed(text);
  if (response.ok) {
    // An answer that counts nothing isn't the service's: something else stands at its address.
    if (typeof told.accepted !== 'number') return { kind: 'refused', detail: `HTTP ${status} that is no receipt` };
    return { kind: 'taken', rejected: rejections(told) };
  }
  const detail = `HTTP ${status} ${typeof told.detail === 'string' ? told.detail : ''}`.trim();
  if (status === 413) return { kind: 'too large' };
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    return { kind: 'away', detail, afterMs: retryAfter(response.headers.get('Retry-After')) };
  }
  if (status === 400 || status === 415) return { kind: 'wrong', events: sent, detail: rejections(told)[0] ?? detail };
  return { kind: 'refused', detail };
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function rejections(told: Record<string, unknown>): string[] {
  const list: unknown[] = Array.isArray(told.rejected) ? told.rejected : [];
  return list.map((one) => {
    const { code, field, message } = one as Record<string, unknown>;
    return `${String(code)} ${String(field ?? '')}: ${String(message)}`;
  });
}

/** Seconds, or a date; in milliseconds. */
function retryAfter(value: string | null): number {
  if (!value) return 0;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}
