import { useEffect, useRef, useState } from "preact/hooks";
import { asProblem } from "../api.ts";
import { Code } from "../parts/code.tsx";
import { signIn, signOut } from "../session.ts";

/** What is shown where the server wants a key. The address stays, so that one is back where one was. */
export function SignIn() {
  const [trouble, setTrouble] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  // The browser's own way does it once for a document, and maybe for what isn't there any more.
  useEffect(() => field.current?.focus(), []);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const key = String(new FormData(form).get("key") ?? "").trim();
    if (!key || isBusy) return;
    setBusy(true);
    try {
      await signIn(key);
    } catch (error) {
      setTrouble(words(asProblem(error)));
      setBusy(false);
      field.current?.focus();
    }
  };
  return (
    <section class="nothing signin" aria-labelledby="signin-title">
      <h2 id="signin-title">Sign in with a key</h2>
      <p>This server answers only those who have a key, since what shoppers said is nobody else’s business.</p>
      <form onSubmit={submit}>
        <label class="named">
          Key
          <input
            type="password"
            name="key"
            required
            ref={field}
            autocomplete="current-password"
            autocapitalize="off"
            spellcheck={false}
            maxLength={256}
            placeholder="aura_sk_…"
            aria-invalid={trouble !== null}
            aria-describedby={trouble === null ? undefined : "signin-trouble"}
          />
        </label>
        <button type="submit" class="button primary" disabled={isBusy}>
          Sign in
        </button>
        {trouble !== null && (
          <p id="signin-trouble" class="strong-bad" role="alert">
            {trouble}
          </p>
        )}
      </form>
      <h3>No key yet?</h3>
      <p>Where the server runs, this makes one to look with, and shows it once:</p>
      <Code text="aura-analytics keys create dashboard --scope read" />
      <p class="muted small">
        <code>--scope review</code> may label as well, <code>--store</code> shows some stores only. The page doesn’t
        keep the key: it gets a cookie that lasts a week, and ends with the key.
      </p>
    </section>
  );
}

function words(problem: ReturnType<typeof asProblem>): string {
  if (problem.status === 429) return `That was too often. Try again in ${problem.retryAfterS ?? 10} seconds.`;
  if (problem.status === 401 && problem.message.includes("signed"))
    return "This key is for signed requests only; it doesn’t sign anybody in.";
  if (problem.status === 401) return "No such key is known here. It may be mistyped, revoked, or its time is over.";
  return problem.message || `The server answered with ${problem.status}.`;
}

/** What is shown to who has a key that doesn’t do what this view is for. */
export function Unable({ title, children }: { title: string; children: preact.ComponentChildren }) {
  return (
    <section class="nothing">
      <h2>{title}</h2>
      <p>{children}</p>
      <p class="row">
        <button type="button" class="button" onClick={() => void signOut()}>
          Use another key
        </button>
      </p>
    </section>
  );
}
