import { Icon } from "../parts/icons.tsx";
import { Popover } from "../parts/popover.tsx";
import { signOut, useSession } from "../session.ts";

const MAY: Record<string, string> = { ingest: "send events", read: "look", review: "label", admin: "everything" };

/** Who is signed in, and the way out; nothing where no key is asked for. */
export function Account() {
  const { who } = useSession();
  if (who === null || who.by !== "session") return null;
  const may = who.scopes.includes("admin") ? ["admin"] : who.scopes;
  return (
    <Popover align="end" label={`Signed in as ${who.name}`} className="button icon-only" face={<Icon name="person" />}>
      {() => (
        <div class="account">
          <p class="popover-title">
            Signed in as <bdi>{who.name}</bdi>
          </p>
          <p class="muted small">May {may.map((scope) => MAY[scope] ?? scope).join(", ")}</p>
          <p class="muted small">{who.stores === null ? "Sees all stores" : <bdi>Sees {who.stores.join(", ")}</bdi>}</p>
          <button type="button" class="button" onClick={() => void signOut()}>
            Sign out
          </button>
        </div>
      )}
    </Popover>
  );
}
