import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

type Props = {
  /** What the button shows. */
  face: ComponentChildren;
  /** What the button is called, where its face isn't enough. */
  label?: string;
  className?: string;
  align?: "start" | "end";
  children: (close: () => void) => ComponentChildren;
};

/** Go into a panel: to what is used first in it, or to itself while that is on its way. */
export function enter(panel: HTMLElement): void {
  (panel.querySelector<HTMLElement>("[data-first], input, button, a") ?? panel).focus();
}

/** A button that opens a small panel; Escape, a click elsewhere, or leaving it closes it. */
export function Popover({ face, label, className = "button", align = "start", children }: Props) {
  const [isOpen, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  useEffect(() => {
    if (!isOpen) return;
    const panel = root.current?.querySelector<HTMLElement>(".popover");
    if (panel) enter(panel);
    const elsewhere = (event: Event) => {
      if (event.target instanceof Node && !root.current?.contains(event.target)) setOpen(false);
    };
    document.addEventListener("pointerdown", elsewhere);
    document.addEventListener("focusin", elsewhere);
    return () => {
      document.removeEventListener("pointerdown", elsewhere);
      document.removeEventListener("focusin", elsewhere);
    };
  }, [isOpen]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !isOpen) return;
    event.stopPropagation();
    close();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys of what is inside come up to here
    <div class="anchor" ref={root} onKeyDown={onKeyDown}>
      <button
        ref={button}
        type="button"
        class={className}
        aria-expanded={isOpen}
        aria-haspopup="dialog"
        aria-controls={isOpen ? id : undefined}
        aria-label={label}
        onClick={() => setOpen(!isOpen)}
      >
        {face}
      </button>
      {isOpen && (
        <div id={id} class={`popover popover-${align}`} role="dialog" aria-label={label ?? "Options"} tabIndex={-1}>
          {children(close)}
        </div>
      )}
    </div>
  );
}
