"""A person labels interactions, one after the other, by single keys."""

from typing import Annotated, Any

import httpx
import msgspec
import typer
from rich.console import Console
from rich.text import Text

from aura_analytics.settings import Settings
from aura_analytics.terminal import options, review_card, service
from aura_analytics.terminal.keys import END, ENTER, Keys, keys
from aura_analytics.terminal.reading import Database
from aura_analytics.terminal.running import run, settings_for
from aura_analytics.terminal.screen import results

# Any, throughout: the endpoints' JSON, as it is.
Row = dict[str, Any]

QUEUE = "/evaluations/queue"
# How many are leased at once: no more than a person looks at within ten minutes.
BATCH = 10
LABEL_KEYS = {"g": "GOOD", "r": "REVIEW", "b": "BAD"}
SKIP, UNDO, JUDGE, QUIT = "s", "u", "j", "q"
REASON_KEYS = {str(number): reason for number, reason in enumerate(review_card.REASONS, 1)}

HELP_ORDER = "value: what is worth most first; random: each as likely as every other one, for rates that are corrected."
HELP_REVIEWER = "Your name, which stands beside your labels."
HELP = """\
Label interactions yourself, by default of all times, one key each: g GOOD, r REVIEW, b BAD (then a number says why, Enter that you don't), s skip,
j its automatic label, u back to the last one, q quit. In a pipe, each line holds keys.
"""


def add_to(cli: typer.Typer) -> None:
    """Add the command to the command line."""

    @cli.command(help=HELP)
    @options.scoped()
    def review(
        where: dict[str, Any],
        database: Database = None,
        order: Annotated[str | None, typer.Option(metavar="ORDER", help=HELP_ORDER)] = None,
        reviewer: Annotated[str | None, typer.Option(metavar="NAME", help=HELP_REVIEWER)] = None,
    ) -> None:
        if not {"period", "from", "to"} & where.keys():
            where = where | {"period": "all"}
        asked = where | {name: value for name, value in (("order", order),) if value is not None}
        run(reviewed(settings_for(database), asked, reviewer))


async def reviewed(settings: Settings, asked: Row, reviewer: str | None) -> None:
    """Hold a session over this database's service."""
    async with service.reached_service(settings) as client, keys() as pressed:
        await Session(client, pressed, results(), asked, reviewer).hold()


class Shown(msgspec.Struct, frozen=True):
    """An interaction of the queue, and all that is known about it."""

    item: Row
    details: Row

    @property
    def id(self) -> str:
        """The query's id."""
        return str(self.details["query"]["id"])


class Session:
    """One person's session. What they label is stored at once.

    Args:
        client: reaches the service.
        pressed: where keys come from.
        console: where it is shown.
        asked: which interactions, in which order, as the queue's parameters.
        reviewer: the person; without a name they are lent one.
    """

    def __init__(
        self, client: httpx.AsyncClient, pressed: Keys, console: Console, asked: Row, reviewer: str | None
    ) -> None:
        self._client = client
        self._keys = pressed
        self._console = console
        self._asked = asked
        self._reviewer = reviewer
        self._lent: str | None = reviewer
        self._ahead: list[Row] = []
        self._behind: list[Shown] = []
        self._labels: dict[str, tuple[str, str]] = {}  # a person's and the automatic one, by id
        self._waiting = 0
        self._last: Text | None = None

    async def hold(self) -> None:
        """Show one after the other until there are no more, or the person has had enough."""
        shown = await self._next()
        if shown is None:
            self._console.print("nothing waits for a person")
            return
        try:
            while shown is not None:
                shown = await self._answered(shown)
        finally:
            skipped = len({one.id for one in self._behind} - self._labels.keys())
            self._console.print(Text("\n") + review_card.summary(self._labels, skipped))

    async def _answered(self, shown: Shown) -> Shown | None:
        """Have one labelled, skipped, or left; give the one to show after it."""
        self._show(shown)
        while (key := await self._keys.next()) not in (QUIT, END):
            if key == UNDO and self._behind:
                self._ahead.insert(0, shown.item)
                self._last = None
                return self._behind.pop()
            if key == JUDGE:
                self._console.print(review_card.judged(shown.item))
            elif key == SKIP:
                return await self._done(shown, self._labels.get(shown.id, (None,))[0])
            elif key in LABEL_KEYS:
                reason = await self._reason() if LABEL_KEYS[key] == "BAD" else None
                if reason == QUIT:
                    return None
                if reason != UNDO:
                    await self._store(shown, LABEL_KEYS[key], reason)
                    return await self._done(shown, LABEL_KEYS[key])
                self._show(shown)
        return None

    async def _reason(self) -> str | None:
        """Ask what went wrong; None where it isn't said, `UNDO` where the label isn't meant, `QUIT` at the end."""
        self._console.print(review_card.reasons())
        while (key := await self._keys.next()) != END:
            if key in (ENTER, " "):
                return None
            if key in (UNDO, QUIT):
                return key
            if key in REASON_KEYS:
                return REASON_KEYS[key]
        return QUIT

    async def _store(self, shown: Shown, label: str, reason: str | None) -> None:
        said = {"label": label, "reason": reason, "reviewer": self._reviewer}
        body = {name: value for name, value in said.items() if value is not None}
        await service.answer(self._client, service.path_of("/evaluations", shown.id), {}, body)
        self._labels[shown.id] = (label, shown.item["verdict"]["label"])

    async def _done(self, shown: Shown, label: str | None) -> Shown | None:
        self._behind.append(shown)
        self._last = review_card.outcome(label, shown.item)
        return await self._next()

    async def _next(self) -> Shown | None:
        """Give the next one of the queue that wasn't shown yet."""
        if not self._ahead:
            await self._fetch()
        if not self._ahead:
            return None
        item = self._ahead.pop(0)
        path = service.path_of("/interactions", item["interaction"]["id"])
        return Shown(item, await service.get(self._client, path, {}))

    async def _fetch(self) -> None:
        """Lease some more; those that were skipped are still this person's, and come again."""
        seen = {one.id for one in self._behind}
        limit = BATCH + len(seen - self._labels.keys())
        found = await service.get(self._client, QUEUE, {**self._asked, "limit": limit, "reviewer": self._lent})
        self._lent = found["reviewer"]
        self._ahead = [item for item in found["items"] if item["interaction"]["id"] not in seen]
        self._waiting = found["waiting"] + len(self._labels)

    def _show(self, shown: Shown) -> None:
        if self._console.is_terminal:
            self._console.clear()
        done = [f"{len(self._labels):,} labelled", f"{max(0, self._waiting - len(self._labels)):,} waiting"]
        note = " · ".join([*done, *filter(None, [review_card.agreement(self._labels)])])
        self._console.print(review_card.card(shown.details, note=note, last=self._last))
        self._console.print(review_card.bar())
