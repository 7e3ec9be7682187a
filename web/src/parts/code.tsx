/** Text to be copied. */
export function Code({ text }: { text: string }) {
  return (
    <div class="code">
      <pre tabIndex={0}>{text}</pre>
      <button
        type="button"
        class="button small"
        onClick={(event) => {
          const button = event.currentTarget;
          navigator.clipboard?.writeText(text).then(
            () => {
              button.textContent = "Copied";
            },
            () => undefined,
          );
        }}
      >
        Copy
      </button>
    </div>
  );
}
