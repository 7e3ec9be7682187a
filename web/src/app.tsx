import { useState } from "preact/hooks";
import { follow, type Liveness, useLive } from "./live.ts";
import { type Navigation, useNavigation } from "./navigation.ts";
import { Announcer } from "./parts/announcer.tsx";
import { Filters } from "./parts/filters.tsx";
import { Icon, type IconName } from "./parts/icons.tsx";
import { StorePicker, WindowPicker } from "./parts/window.tsx";
import type { View } from "./route.ts";
import { may, useSession } from "./session.ts";
import { chosenTheme, nextTheme, type Theme } from "./theme.ts";
import { Account } from "./views/account.tsx";
import { Browse } from "./views/browse.tsx";
import { Drawer } from "./views/drawer.tsx";
import { Explore } from "./views/explore.tsx";
import { Overview } from "./views/overview.tsx";
import { Pipeline } from "./views/pipeline.tsx";
import { Review } from "./views/review.tsx";
import { SignIn, Unable } from "./views/signin.tsx";

const NAMES: Record<View, string> = {
  overview: "Overview",
  explore: "Explore",
  browse: "Interactions",
  review: "Review",
  pipeline: "Pipeline",
};
const SHOWN: Record<Exclude<View, "pipeline">, (props: { at: Navigation }) => preact.ComponentChildren> = {
  overview: Overview,
  explore: Explore,
  browse: Browse,
  review: Review,
};

/** The whole page. */
export function App() {
  const at = useNavigation();
  const session = useSession();
  document.title = at.view === "overview" ? "Aura Analytics" : `${NAMES[at.view]} – Aura Analytics`;
  const open = at.search.get("open") || null;
  if (session.isOut || !may(session, "read")) {
    return (
      <>
        <Head at={null} />
        <main id="main" class="view">
          <h1 class="hidden">Aura Analytics</h1>
          {session.isOut ? (
            <SignIn />
          ) : (
            <Unable title="This key only sends events">
              It is an assistant’s key: it writes, and can’t read back. To look at the numbers, sign in with one that
              was made with <code>--scope read</code>.
            </Unable>
          )}
        </main>
      </>
    );
  }
  return (
    <>
      <a class="skip" href="#main">
        Skip to the numbers
      </a>
      <Head at={at} />
      <main id="main" tabIndex={-1} class={`view view-${at.view}${open === null ? "" : " beside-drawer"}`}>
        <h1 class="hidden">{NAMES[at.view]}</h1>
        <div class="controls">
          <StorePicker at={at} />
          <Filters at={at} />
          <WindowPicker at={at} />
        </div>
        <Shown at={at} mayLabel={may(session, "review")} />
      </main>
      <Announcer view={NAMES[at.view]} />
      {open !== null && <Drawer key={open} id={open} at={at} />}
    </>
  );
}

type ShownProps = { at: Navigation; mayLabel: boolean };

function Shown({ at, mayLabel }: ShownProps) {
  if (at.view === "pipeline") return <Pipeline at={at} mayLabel={mayLabel} />;
  if (at.view === "review" && !mayLabel)
    return (
      <Unable title="This key may look, and not label">
        To say how good answers are, sign in with a key that was made with <code>--scope review</code>.
      </Unable>
    );
  const View = SHOWN[at.view];
  return <View at={at} />;
}

/** `null` where nobody is known who could go anywhere. */
function Head({ at }: { at: Navigation | null }) {
  const session = useSession();
  const views = (Object.keys(NAMES) as View[]).filter((view) => view !== "review" || may(session, "review"));
  return (
    <header class="head">
      <a class="brand" href={at?.to("overview", { open: null }) ?? "./"} data-here>
        <svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true">
          <path d="M3 8v4M6.5 5v10M10 2.5v15M13.5 6v8M17 8.5v3" />
        </svg>
        <span>Aura</span>
      </a>
      {at === null ? (
        <span class="filler" />
      ) : (
        <>
          <nav aria-label="Views">
            {views.map((view) => (
              <a
                key={view}
                href={at.to(view, { open: null })}
                data-here
                aria-current={view === at.view ? "page" : undefined}
              >
                <Icon name={view as IconName} size={18} />
                <span>{NAMES[view]}</span>
              </a>
            ))}
          </nav>
          <LiveSwitch />
        </>
      )}
      <ThemeSwitch />
      <Account />
    </header>
  );
}

const STATES: Record<Liveness, string> = {
  live: "Live",
  connecting: "Connecting…",
  lost: "Not live",
  paused: "Paused",
};

function LiveSwitch() {
  const { liveness } = useLive();
  const isPaused = liveness === "paused";
  return (
    <button
      type="button"
      class={`live live-${liveness}`}
      aria-pressed={!isPaused}
      title={isPaused ? "Follow what comes in" : "Hold the numbers as they are"}
      onClick={() => follow(isPaused)}
    >
      <i aria-hidden="true" />
      {STATES[liveness]}
    </button>
  );
}

const THEME_ICONS: Record<Theme, IconName> = { auto: "half", light: "sun", dark: "moon" };
const THEME_WORDS: Record<Theme, string> = { auto: "as the system", light: "light", dark: "dark" };

function ThemeSwitch() {
  const [theme, setTheme] = useState<Theme>(chosenTheme);
  return (
    <button
      type="button"
      class="button icon-only"
      aria-label={`Colours: ${THEME_WORDS[theme]}`}
      title={`Colours: ${THEME_WORDS[theme]}`}
      onClick={() => setTheme(nextTheme())}
    >
      <Icon name={THEME_ICONS[theme]} />
    </button>
  );
}
