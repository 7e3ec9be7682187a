/** Going from address to address, and knowing when it has changed. */

import { useCallback, useEffect, useState } from "preact/hooks";
import { base } from "./api.ts";
import { type Changes, carried, changed, href, type Route, read, type View } from "./route.ts";

const MOVED = "aura:moved";

/** Go to an address; `replace` where going back there would be no use. */
export function go(view: View, search: URLSearchParams, replace = false): void {
  const url = base() + href(view, search).replace(/^\.\//, "");
  if (url === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", url);
  dispatchEvent(new Event(MOVED));
}

/** What a part of the page can do with the address. */
export type Navigation = Route & {
  /** Change some parameters of this view. */
  set: (changes: Changes, replace?: boolean) => void;
  /** Give the address of a view with this scope, after some changes. */
  to: (view: View, changes?: Changes) => string;
};

/** Follow the address. */
export function useNavigation(): Navigation {
  const [route, setRoute] = useState<Route>(() => read(location.pathname, location.search));
  useEffect(() => {
    const moved = () => setRoute(read(location.pathname, location.search));
    addEventListener("popstate", moved);
    addEventListener(MOVED, moved);
    return () => {
      removeEventListener("popstate", moved);
      removeEventListener(MOVED, moved);
    };
  }, []);
  const set = useCallback((changes: Changes, replace = false) => {
    const now = read(location.pathname, location.search);
    go(now.view, changed(now.search, changes), replace);
  }, []);
  const to = useCallback(
    (view: View, changes: Changes = {}) => {
      const kept = view === route.view ? route.search : carried(route.search);
      return href(view, changed(kept, changes));
    },
    [route],
  );
  return { ...route, set, to };
}

/** Follow links of ours without loading the page anew. */
export function followLinks(): void {
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const link = event.target instanceof Element ? event.target.closest("a[data-here]") : null;
    if (!(link instanceof HTMLAnchorElement)) return;
    event.preventDefault();
    const url = new URL(link.href);
    const { view, search } = read(url.pathname, url.search);
    const before = read(location.pathname, location.search).view;
    go(view, search);
    if (view !== before) scrollTo(0, 0);
  });
}
