import type { Navigation } from "../navigation.ts";
export function Review(_: { at: Navigation }) {
  return <p class="empty">Soon.</p>;
}
