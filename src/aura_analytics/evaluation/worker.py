"""Claim, label, save, until nothing is due; once, or again and again.

A claim is a lease in the store. Whatever happens to this process, an interaction is labelled once: the verdict and the
end of its work are one transaction, and it counts only while the lease holds.
"""

import asyncio
import random
from collections.abc import Callable

import structlog

from aura_analytics.errors import StoreUnavailable
from aura_analytics.evaluation.course import Course
from aura_analytics.evaluation.hearing import Standing, Terms
from aura_analytics.evaluation.judgement import Judge
from aura_analytics.evaluation.rules import default_rules
from aura_analytics.evaluation.tally import Tally
from aura_analytics.store import Store

log = structlog.get_logger()

# By which part the pause between two looks is shorter or longer: evaluators that began together don't stay together.
JITTER = 0.1


class Evaluator:
    """Labels what is due.

    Args:
        store: where the work waits and the verdicts go.
        judge: labels what the rules leave open; without one that is REVIEW.
        terms: how it works; by default with the rules of the package.
    """

    def __init__(self, store: Store, judge: Judge | None, terms: Terms | None = None) -> None:
        self._store = store
        self._judge = judge
        self._terms = terms or Terms(rules=default_rules())
        self._standing = Standing()

    async def run(self, on_progress: Callable[[Tally], None] | None = None) -> Tally:
        """Label until nothing is due.

        Args:
            on_progress: told whenever something was stored.

        Raises:
            StoreUnavailable: the work stays where it is.
        """
        course = self._course(on_progress)
        await course.run()
        return course.tally

    async def watch(self, interval_s: float) -> None:
        """Run about every so many seconds, until cancelled; a run ends only when nothing is due."""
        while True:
            course = self._course()
            try:
                await course.run()
            except StoreUnavailable as error:
                log.warning("evaluation_waits", error=str(error))
            except Exception:  # the edge of the worker's loop: the claims come back by their leases
                log.exception("evaluation_failed")
            finally:  # what was done counts, whatever ended it
                _tell(course.tally)
            await asyncio.sleep(interval_s * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 (no secret)

    def _course(self, on_progress: Callable[[Tally], None] | None = None) -> Course:
        return Course(self._store, self._judge, self._terms, self._standing, on_progress)


def _tell(tally: Tally) -> None:
    if tally.handled:
        log.info("evaluation", **tally.labels, labelled=tally.labelled, **tally.counts())
