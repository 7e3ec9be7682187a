"""Evaluation in batches: what it tells on the way, and at the end."""

import json

from aura_analytics.evaluation.answers import Progress
from aura_analytics.labelling import make_batches, make_jobs, make_rules
from aura_analytics.opening import opened_store
from aura_analytics.settings import Settings
from aura_analytics.terminal.actor import retry_failed
from aura_analytics.terminal.screen import notes, results


async def evaluate(settings: Settings, *, waits: bool, retry: bool) -> Progress:
    """Hand over what is due, and fetch answers; first make the failed ones due again, where asked."""
    rules = make_rules(settings)
    jobs = make_jobs(settings)
    try:
        async with opened_store(settings) as store:
            if retry:
                await retry_failed(store)
            return await make_batches(settings, store, jobs, rules).run(waits=waits, on_progress=_Teller().tell)
    finally:
        await jobs.aclose()


class _Teller:
    """Says on the way what is new, a line each time."""

    def __init__(self) -> None:
        self._said = ""

    def tell(self, progress: Progress) -> None:
        """Say how far it is, if that is further than before."""
        line = f"{progress.handed_over:,} handed over, {progress.waiting:,} with the provider, {_labelled(progress)}"
        if line != self._said:
            self._said = line
            notes().print(line, markup=False)


def show(progress: Progress, *, as_json: bool) -> None:
    """Print what a run with batches did."""
    if as_json:
        whole = {
            "labels": dict(progress.labels),
            **progress.counts(),
            "handedOver": progress.handed_over,
            "waiting": progress.waiting,
            "costUsd": progress.cost_usd,
        }
        print(json.dumps(whole, indent=2))  # noqa: T201 (a result)
        return
    by_label = ", ".join(f"{count:,} {label}" for label, count in sorted(progress.labels.items()))
    parts = [_labelled(progress) + (f" ({by_label})" if by_label else "")]
    others = [
        (progress.handed_over, "handed over"),
        (progress.waiting, "with the provider"),
        (progress.postponed, "to be tried again"),
        (progress.paused, "given back unasked"),
        (progress.left, "left out of the sample"),
        (progress.failed, "given up"),
    ]
    parts += [f"{count:,} {what}" for count, what in others if count]
    if progress.cost_usd:
        parts.append(f"for ${progress.cost_usd:,.4f}")
    results().print(", ".join(parts), markup=False)
    if progress.waiting:
        notes().print("the next evaluate --batch fetches the answers", markup=False)


def _labelled(progress: Progress) -> str:
    return f"{progress.labelled:,} labelled"
