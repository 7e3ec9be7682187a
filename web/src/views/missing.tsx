/** What is shown where the server is older than the page. */
export function Missing({ what }: { what: string }) {
  return (
    <section class="nothing">
      <h2>Not on this server</h2>
      <p>This server has no {what} yet. A newer version has.</p>
    </section>
  );
}
