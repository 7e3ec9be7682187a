import type { paths } from "./schema.d.ts";

type Get<Path extends keyof paths> = paths[Path] extends {
  get: { responses: { 200: { content: { "application/json": infer Body } } } };
}
  ? Body
  : never;

export type Summary = Get<"/stats/summary">;
export type Timeseries = Get<"/stats/timeseries">;
export type Intents = Get<"/stats/intents">;
export type TopQueries = Get<"/stats/top-queries">;
export type Unanswered = Get<"/stats/unanswered">;
export type Quality = Get<"/stats/quality">;
export type Causes = Get<"/insights/causes">;
export type Demand = Get<"/insights/demand">;
export type Page = Get<"/interactions">;
export type Details = Get<"/interactions/{query_id}">;
export type Stores = Get<"/stats/stores">;
export type Models = Get<"/stats/models">;
export type Agreement = Get<"/stats/agreement">;
export type JudgeCalls = Get<"/stats/judge">;
export type Health = Get<"/health">;
export type Queue = Get<"/evaluations/queue">;
export type Failed = Get<"/evaluations/failed">;
export type Who = Get<"/session">;
export type Labelled = paths["/evaluations/{query_id}"]["post"]["responses"][200]["content"]["application/json"];
export type Retried = paths["/evaluations/retry"]["post"]["responses"][200]["content"]["application/json"];

export type QueueItem = Queue["items"][number];
export type Interaction = Page["interactions"][number];
export type Turn = Details["turns"][number];
export type Verdict = NonNullable<Details["verdict"]>;

/** An answer of figures with those of the window before beside it (`compare=previous`). */
export type Compared<Answer> = Answer & {
  previous?: Answer | null;
  change?: Partial<Record<keyof Answer, { absolute: number; relative: number | null }>>;
};

/** What went wrong with a request, in the server's words where it had any. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly retryAfterS: number | null;

  constructor(status: number, code: string, message: string, retryAfterS: number | null = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfterS = retryAfterS;
  }
}

/** Where the page lies, so that it also works behind a proxy that has it under a path of its own. */
export function base(): string {
  return location.pathname.replace(/[^/]*$/, "");
}

/** Ask an endpoint; `path` begins without a slash. Throws a `Problem` for whatever isn't an answer. */
export async function get<Answer>(path: string, signal?: AbortSignal): Promise<Answer> {
  return ask<Answer>(path, { headers: { accept: "application/json" }, ...(signal ? { signal } : {}) });
}

/** Tells the server that it is this page that asks: no page of others can send it along with our cookie. */
const OURS = { accept: "application/json", "x-aura-page": "1" };

/** Send an endpoint something; it arrives also where the page is left at this moment. */
export async function post<Answer>(path: string, body: unknown): Promise<Answer> {
  const headers = { ...OURS, "content-type": "application/json" };
  return ask<Answer>(path, { method: "POST", headers, body: JSON.stringify(body), keepalive: true });
}

/** Have an endpoint take something away. */
export async function remove<Answer>(path: string): Promise<Answer> {
  return ask<Answer>(path, { method: "DELETE", headers: OURS, keepalive: true });
}

let onRefused: () => void = () => undefined;

/** Have something done whenever the server doesn't know who asks. */
export function whenRefused(listener: () => void): void {
  onRefused = listener;
}

/** Give any error as a problem. */
export function asProblem(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem(0, "bug", "The page couldn’t read the answer.");
}

async function ask<Answer>(path: string, options: RequestInit): Promise<Answer> {
  let answer: Response;
  try {
    answer = await fetch(base() + path, options);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, "unreachable", "The server doesn’t answer. It may be restarting, or the network is down.");
  }
  if (answer.status === 204) return undefined as Answer;
  if (answer.ok) return (await answer.json()) as Answer;
  if (answer.status === 401) onRefused();
  throw await problem(answer);
}

async function problem(answer: Response): Promise<Problem> {
  const retry = Number(answer.headers.get("retry-after")) || null;
  try {
    const said = (await answer.json()) as { title?: string; detail?: string; code?: string };
    return new Problem(answer.status, said.code ?? "unknown", said.detail ?? said.title ?? "", retry);
  } catch {
    return new Problem(answer.status, "unknown", `The server answered with ${answer.status}.`, retry);
  }
}
