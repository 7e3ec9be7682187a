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

/** Send an endpoint something. */
export async function post<Answer>(path: string, body: unknown): Promise<Answer> {
  return ask<Answer>(path, {
    method: "POST",
    headers: { accept: "application/json", "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

async function ask<Answer>(path: string, options: RequestInit): Promise<Answer> {
  let answer: Response;
  try {
    answer = await fetch(base() + path, options);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, "unreachable", "The server doesn’t answer. It may be restarting, or the network is down.");
  }
  if (answer.ok) return (await answer.json()) as Answer;
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
