/** The address is the whole state: what is shown can be linked, and the back button goes back. */

export const VIEWS = ["overview", "explore", "browse", "review", "pipeline"] as const;
export type View = (typeof VIEWS)[number];

export type Route = { view: View; search: URLSearchParams };
/** Changes of an address: `null` or an empty list takes a parameter away. */
export type Changes = Record<string, string | readonly string[] | null>;

/** What is about a number, and so stays from view to view; the rest belongs to one view. */
export const SCOPE = [
  ...["period", "from", "to", "compare", "store", "intent", "model", "source", "label", "reason", "action"],
  ...["user", "session", "text", "latency_min", "latency_max", "confidence_min", "confidence_max"],
];

/** Read an address. An unknown path is the overview. */
export function read(pathname: string, search: string): Route {
  const last = pathname.slice(pathname.lastIndexOf("/") + 1);
  const view = VIEWS.find((name) => name === last) ?? "overview";
  return { view, search: new URLSearchParams(search) };
}

/** Write an address relative to where the page lies. */
export function href(view: View, search: URLSearchParams): string {
  const path = view === "overview" ? "./" : view;
  const query = search.toString();
  return query ? `${path}?${query}` : path;
}

/** Give the parameters after some changes. */
export function changed(search: URLSearchParams, changes: Changes): URLSearchParams {
  const made = new URLSearchParams(search);
  for (const [name, value] of Object.entries(changes)) {
    made.delete(name);
    for (const one of value === null ? [] : typeof value === "string" ? [value] : value) made.append(name, one);
  }
  return made;
}

/** Give those parameters that stay when another view is opened. */
export function carried(search: URLSearchParams): URLSearchParams {
  return new URLSearchParams([...search].filter(([name]) => SCOPE.includes(name)));
}
