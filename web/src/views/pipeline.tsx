import type { Navigation } from "../navigation.ts";
export function Pipeline(_: { at: Navigation }) {
  return <p class="empty">Soon.</p>;
}
