/** What the API's codes are called where people read them. */

export type Label = "GOOD" | "REVIEW" | "BAD";
export const LABELS: readonly Label[] = ["GOOD", "REVIEW", "BAD"];

export const CAUSES: Record<string, { name: string; meaning: string; key: string }> = {
  heard_wrong: { name: "Heard wrong", meaning: "The recogniser wasn’t sure, or got it wrong", key: "heardWrong" },
  understood_wrong: {
    name: "Understood wrong",
    meaning: "Heard well, but the assistant didn’t know what was wanted",
    key: "understoodWrong",
  },
  did_wrong: { name: "Did wrong", meaning: "Understood, but the action failed", key: "didWrong" },
  too_slow: { name: "Too slow", meaning: "The answer took over 8 seconds", key: "tooSlow" },
  no_answer: { name: "No answer", meaning: "No outcome ever arrived", key: "noAnswer" },
  answered_badly: {
    name: "Answered badly",
    meaning: "Answered in time, but labelled REVIEW or BAD, or said again",
    key: "answeredBadly",
  },
};

const REASONS: Record<string, string> = {
  error: "error",
  action_failed: "action failed",
  bad_quality: "labelled BAD",
  needs_review: "labelled REVIEW",
  slow_response: "slow",
  no_response: "no answer",
  no_judge_configured: "no judge configured",
  very_low_transcription_confidence: "heard very poorly",
  low_transcription_confidence: "heard poorly",
  query_too_short: "query too short",
  high_confidence_fast_path: "sure and fast",
  error_occurred: "error",
  extreme_latency: "extremely slow",
  high_latency: "slow",
  successful_fast_action: "succeeded fast",
};

/** Say a code in words; one that isn't known is made readable. */
export function reason(code: string | null): string {
  return code === null ? "none" : (REASONS[code] ?? code.replaceAll("_", " "));
}

export type Kind = "count" | "share" | "duration" | "dollars" | "number";
export type Metric = { name: string; label: string; kind: Kind; adds: boolean };

const metric = (name: string, label: string, kind: Kind, adds = false): Metric => ({ name, label, kind, adds });

/** What can be asked for over time, in the order of the picker. `adds`: the sum over steps is the whole. */
export const METRICS: readonly Metric[] = [
  metric("queries", "Queries", "count", true),
  metric("successes", "Successes", "count", true),
  metric("success_rate", "Success rate", "share"),
  metric("failures", "Failures", "count", true),
  metric("failure_rate", "Failure rate", "share"),
  metric("unanswered", "Unanswered", "count", true),
  metric("unanswered_rate", "Unanswered rate", "share"),
  metric("quality", "Quality (share of GOOD)", "share"),
  metric("good", "Labelled GOOD", "count", true),
  metric("review", "Labelled REVIEW", "count", true),
  metric("bad", "Labelled BAD", "count", true),
  metric("latency_avg", "Average latency", "duration"),
  metric("latency_p50", "Latency p50", "duration"),
  metric("latency_p75", "Latency p75", "duration"),
  metric("latency_p90", "Latency p90", "duration"),
  metric("latency_p95", "Latency p95", "duration"),
  metric("latency_p99", "Latency p99", "duration"),
  metric("cost", "Cost", "dollars", true),
  metric("cost_per_success", "Cost per success", "dollars"),
  metric("tokens", "Tokens", "count", true),
  metric("sessions", "Sessions", "count"),
  metric("conversions", "Conversions", "count", true),
  metric("conversion_rate", "Conversion rate", "share"),
  metric("confidence_avg", "Recogniser’s confidence", "share"),
  metric("fast_path_rate", "Fast path", "share"),
  metric("rephrased", "Rephrased", "count", true),
  metric("rephrased_rate", "Rephrased rate", "share"),
  metric("repeated", "Repeated", "count", true),
  ...Object.entries(CAUSES).map(([name, cause]) => metric(name, `Broken: ${cause.name.toLowerCase()}`, "count", true)),
];

export const SPLITS: ReadonlyArray<readonly [string, string]> = [
  ["store", "Store"],
  ["intent", "Intent"],
  ["model", "Model"],
  ["source", "Source"],
  ["label", "Label"],
  ["action", "Action"],
];

export type Filter = { name: string; label: string; kind: "choice" | "text" | "number"; hint?: string };

/** What interactions can be chosen by; the names are the query string's. */
export const FILTERS: readonly Filter[] = [
  { name: "text", label: "Text", kind: "text", hint: "what was said contains" },
  { name: "intent", label: "Intent", kind: "choice" },
  { name: "label", label: "Label", kind: "choice" },
  { name: "reason", label: "Reason", kind: "choice" },
  { name: "action", label: "Action", kind: "choice" },
  { name: "model", label: "Model", kind: "choice" },
  { name: "source", label: "Source", kind: "choice" },
  { name: "store", label: "Store", kind: "choice" },
  { name: "latency_min", label: "Latency from", kind: "number", hint: "milliseconds" },
  { name: "latency_max", label: "Latency up to", kind: "number", hint: "milliseconds" },
  { name: "confidence_min", label: "Confidence from", kind: "number", hint: "0 to 1" },
  { name: "confidence_max", label: "Confidence up to", kind: "number", hint: "0 to 1" },
  { name: "session", label: "Session", kind: "text", hint: "its id, whole" },
  { name: "user", label: "User", kind: "text", hint: "their id, whole" },
];
