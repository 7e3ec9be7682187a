/** Who looks at this page, and what their key lets them do. */

import { useEffect, useState } from "preact/hooks";
import { get, post, remove, type Who, whenRefused } from "./api.ts";
import { bar } from "./live.ts";
import { forget } from "./resource.ts";

/** `isOut`: the server wants a key. Until it has answered, nobody is known, and nothing is kept from anybody. */
export type Session = { who: Who | null; isOut: boolean };

let session: Session = { who: null, isOut: false };
const listeners = new Set<() => void>();

function become(next: Session): void {
  session = next;
  bar(next.isOut);
  for (const listener of listeners) listener();
}

/** Begin: ask who it is, beside all else that is asked. */
export function startSession(): void {
  whenRefused(() => {
    if (session.isOut) return;
    forget();
    become({ who: null, isOut: true });
  });
  get<Who>("session").then(
    (who) => become({ who, isOut: false }),
    () => undefined, // an older server doesn't know; one that wants a key has been heard above
  );
}

/** Sign in with a key; the page keeps nothing of it. Throws a `Problem` where it opens nothing. */
export async function signIn(key: string): Promise<void> {
  const who = await post<Who>("session", { key });
  forget();
  become({ who, isOut: false });
}

/** Sign out, here and at every server. */
export async function signOut(): Promise<void> {
  await remove<void>("session");
  forget();
  become({ who: null, isOut: true });
}

/** Whether somebody may do something, as far as it is known. */
export function may({ who }: Session, scope: Who["scopes"][number]): boolean {
  return who === null || who.scopes.includes(scope);
}

/** Follow who it is. */
export function useSession(): Session {
  const [seen, setSeen] = useState(session);
  useEffect(() => {
    const listener = () => setSeen(session);
    listeners.add(listener);
    listener();
    return () => {
      listeners.delete(listener);
    };
  }, []);
  return seen;
}
