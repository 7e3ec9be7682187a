/** Questions to the API, made of an address of the page. */

import { DEFAULT_PERIOD } from "./period.ts";
import { FILTERS } from "./words.ts";

export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** Whether the window is set beside the one right before it; a window without a beginning has none. */
export function isCompared(search: URLSearchParams): boolean {
  const hasStart = search.get("from") !== null || (search.get("to") === null && search.get("period") !== "all");
  return hasStart && search.get("compare") !== "none";
}

/** Give the window and the filters of an address as the API's parameters. */
export function scope(search: URLSearchParams): URLSearchParams {
  const asked = new URLSearchParams();
  const [from, to] = [search.get("from"), search.get("to")];
  if (from === null && to === null) asked.set("period", search.get("period") ?? DEFAULT_PERIOD);
  if (from !== null) asked.set("from", from);
  if (to !== null) asked.set("to", to);
  for (const { name } of FILTERS) for (const value of search.getAll(name)) if (value) asked.append(name, value);
  return asked;
}

/** Give the question to an endpoint about the window and the filters of an address. */
export function question(
  endpoint: string,
  search: URLSearchParams,
  more: Record<string, string | number | boolean | null> = {},
): string {
  const asked = scope(search);
  for (const [name, value] of Object.entries(more)) if (value !== null) asked.set(name, String(value));
  return `${endpoint}?${asked}`;
}
