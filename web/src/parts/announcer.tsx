import { useEffect, useRef, useState } from "preact/hooks";
import { useLive } from "../live.ts";

/** A connection that comes back sooner than this was never missed. */
const PATIENCE_MS = 4_000;

/** Says to those who listen what others see at a glance: which view came, and that the server is away or back. */
export function Announcer({ view }: { view: string }) {
  const { liveness } = useLive();
  const [said, setSaid] = useState("");
  const first = useRef(view);
  const wasAway = useRef(false);
  useEffect(() => {
    if (first.current === view) return;
    first.current = "";
    setSaid(view);
  }, [view]);
  useEffect(() => {
    if (liveness === "live" && wasAway.current) {
      wasAway.current = false;
      setSaid("The server is back");
    }
    if (liveness !== "connecting" && liveness !== "lost") return;
    const later = setTimeout(() => {
      wasAway.current = true;
      setSaid("The server doesn’t answer; trying again");
    }, PATIENCE_MS);
    return () => clearTimeout(later);
  }, [liveness]);
  return (
    <p class="hidden" role="status">
      {said}
    </p>
  );
}
