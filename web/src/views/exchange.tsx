import { Icon } from "../parts/icons.tsx";
import { Confidence } from "../parts/marks.tsx";

type Props = {
  query: { queryText: string; querySource: string; transcriptionConfidence: number | null };
  outcome: { answerText: string | null; errorFlag: boolean | null; errorMessage: string | null } | null;
  /** What the shopper said next, if it was the same wish again. */
  saidAgain: string | null;
};

/** What a shopper said, and what came back. */
export function Said({ query, outcome, saidAgain }: Props) {
  return (
    <section class="exchange" aria-label="What was said">
      <div class="bubble bubble-shopper">
        <span class="who">
          <Icon name={query.querySource === "voice" ? "mic" : "reply"} size={14} /> Shopper
          {query.querySource !== "voice" && `, by ${query.querySource}`}
        </span>
        <p dir="auto" class="long" tabIndex={query.queryText.length > 500 ? 0 : undefined}>
          {query.queryText}
        </p>
        {query.transcriptionConfidence !== null && (
          <span class="heard">
            Heard with <Confidence value={query.transcriptionConfidence} />
          </span>
        )}
      </div>
      <div class={outcome?.errorFlag ? "bubble bubble-error" : "bubble"}>
        <span class="who">Assistant</span>
        <p dir="auto" class="long" tabIndex={(outcome?.answerText?.length ?? 0) > 500 ? 0 : undefined}>
          {outcome === null ? <em>No outcome has arrived.</em> : (outcome.answerText ?? <em>No answer text.</em>)}
        </p>
        {outcome?.errorMessage && (
          <p dir="auto" class="long failed">
            {outcome.errorMessage}
          </p>
        )}
      </div>
      {saidAgain !== null && (
        <p class="muted">
          Then the same again: <q dir="auto">{saidAgain.slice(0, 300)}</q>
        </p>
      )}
    </section>
  );
}
