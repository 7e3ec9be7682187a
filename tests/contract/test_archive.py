"""Whatever lies in the archive is answered as if it lay in the tables, and what changes is in force at once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import copy, move, rmtree
from typing import Any, TypeVar

import httpx
import pytest
from msgspec.structs import replace

from aura_analytics.app import make_app
from aura_analytics.archive.abandoning import Abandoned, abandon, lost
from aura_analytics.archive.course import Archived, day_of
from aura_analytics.archive.daily import keep
from aura_analytics.archive.files import UNFINISHED
from aura_analytics.archive.opening import WORK, cache_of, opened_archiver
from aura_analytics.archive.parquet import Parquet
from aura_analytics.archive.past import attached
from aura_analytics.archive.restoring import Restored, restore
from aura_analytics.archive.retention import Deleted, delete_before
from aura_analytics.archive.shape import ID
from aura_analytics.archive.stock import Stock, taken
from aura_analytics.errors import ArchiveError, StoreUnavailable
from aura_analytics.events.records import EarlyOutcome, Event, VoiceQuery
from aura_analytics.opening import make_persons
from aura_analytics.projection import Projection
from aura_analytics.settings import Settings
from aura_analytics.store import Store
from aura_analytics.store.port import HourlySums
from aura_analytics.store.shelf import ArchiveFile
from aura_analytics.terminal.shelved import refuse_missing_files, tell_of_archive, tell_of_leaving
from contract.making import LATER, LEASE_MS, NOW, Watch, conversion, outcome, query, verdict

Names = TypeVar("Names")
DAY_MS = 86_400_000
TODAY = day_of(NOW)
ALL = f"?from={NOW - 40 * DAY_MS}&to={NOW + DAY_MS}"
ASKED = (
    "/stats/summary",
    "/stats/summary?store=other&",
    "/stats/summary?min_latency=700&",
    "/stats/top-queries",
    "/stats/unanswered",
    "/stats/hourly",
    "/stats/intents",
    "/stats/stores",
    "/stats/latency",
    "/stats/quality",
    "/stats/sessions",
    "/stats/dataset",
    "/stats/conversions",
    "/insights/rephrasings",
    "/export/training-data",
    "/interactions",
)


@pytest.fixture
def place(database: str, tmp_path: Path) -> Settings:
    return Settings(aura_database_url=database, archive_url=str(tmp_path / "archive"), auth="off")


@pytest.fixture
def kept(place: Settings, store: Store, watch: Watch) -> Store:
    """A store that knows where its archive is."""
    attached(place, store, clock=watch)
    return store


def asked(number: int, days_ago: int, **fields: object) -> list[Event]:
    """An interaction of some days ago."""
    at = NOW - days_ago * DAY_MS + number * 1_000
    whole = {
        "created_at": at,
        "received_at": at,
        "session_id": f"s{number // 3}",
        "user_id": f"u{number // 6}",
        "store_id": "shop" if number % 3 else "other",
        "query_text": ("rote Äpfel 🍎", "", "red shoes", 'it\'s "so"\n\\')[number % 4],
        "transcription_conf": 0.1 * (number % 10),
        "extra": {"number": number} if number % 5 == 0 else None,
        **fields,
    }
    told = outcome(f"q{number}", occurred_at=at + 9, received_at=at + 9, latency_ms=100.5 * number, action_success=True)
    return [query(f"q{number}", **whole), told]


async def filled(store: Store, days: Sequence[int] = (30, 29, 1)) -> None:
    """Store a dozen interactions of each day, and label all."""
    events = [event for place, day in enumerate(days) for n in range(12) for event in asked(place * 12 + n, day)]
    bought = conversion("c1", query_id="q1", session_id="s0", occurred_at=NOW - 30 * DAY_MS + 60_000, value=9.5)
    await store.append([*events, bought])
    await labelled(store)
    await store.review(verdict("q2", "BAD", evaluated_by="human", method="eve"))


async def labelled(store: Store) -> None:
    claims = await store.claim_due(1_000, now=LATER, lease_ms=LEASE_MS)
    await store.settle([(claim, verdict(claim.query_id, "GOOD", method="rules")) for claim in claims])


async def archived(place: Settings, *, older_than: int = 7) -> Archived:
    def run() -> Archived:
        with opened_archiver(place, clock=lambda: NOW) as archiver:
            return archiver.run(TODAY - older_than)

    return await asyncio.to_thread(run)


@asynccontextmanager
async def asked_of(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """Have the service over a store."""
    projection = Projection(store, None, memory_mb=128, threads=1)
    await projection.start()
    try:
        transport = httpx.ASGITransport(make_app(Settings(auth="off"), store, projection))
        async with asyncio.timeout(30):
            await projection.built()
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            yield client
    finally:
        await projection.stop()


async def answers(client: httpx.AsyncClient, ids: Sequence[str]) -> dict[str, str]:
    paths = [f"{path}{ALL[1:]}" if path.endswith("&") else f"{path}{ALL}" for path in ASKED]
    paths += [f"/interactions/{id}" for id in ids[:3]]
    return {path: (await client.get(path)).text for path in paths}


def differing(answers: dict[str, str], others: dict[str, str]) -> dict[str, tuple[str, str]]:
    return {path: (text, others[path]) for path, text in answers.items() if text != others[path]}


async def test_everything_is_answered_as_before(kept: Store, place: Settings) -> None:
    await filled(kept)
    ids = [f"q{n}" for n in range(36)]
    rows = sorted(await kept.wide_rows(ids))
    async with asked_of(kept) as client:
        before = await answers(client, ids)
        done = await archived(place)
        assert (done.days, done.interactions, done.waiting, done.unfit) == (2, 24, 0, 0)
        assert await kept.count() == 12
        assert differing(await answers(client, ids), before) == {}
        found = (await client.get("/verify")).json()
        assert (found["interactions"], found["differing"]) == (36, 0)
    assert [tuple(map(float_of, row)) for row in sorted(await kept.wide_rows(ids))] == [
        tuple(map(float_of, row)) for row in rows
    ]
    async with asked_of(kept) as client:  # columns that were built anew
        assert differing(await answers(client, ids), before) == {}
        assert (await client.get("/verify")).json()["differing"] == 0


def float_of(cell: object) -> object:
    return float(cell) if isinstance(cell, int) else cell


async def test_what_comes_again_is_a_duplicate(kept: Store, place: Settings) -> None:
    await filled(kept, (30,))
    await archived(place)
    assert await kept.count() == 0
    assert await kept.append([*asked(1, 30), *asked(2, 30), query("new")]) == [False] * 4 + [True]
    assert await kept.count() == 1


async def test_a_late_outcome_is_merged(kept: Store, place: Settings) -> None:
    await kept.append([asked(0, 30)[0], *asked(1, 30)])
    await labelled(kept)
    await archived(place)
    assert await kept.count() == 0
    async with asked_of(kept) as client:
        assert await kept.append([outcome("q0", latency_ms=5, action_success=False), *asked(1, 30)]) == [
            True,
            False,
            False,
        ]
        assert await kept.count() == 1
        found = (await client.get(f"/stats/summary{ALL}")).json()
        assert (found["totalQueries"], found["failedQueries"]) == (2, 1)
    [claim] = await kept.claim_due(10, now=LATER, lease_ms=LEASE_MS)
    assert claim.interaction.outcome is not None
    await kept.settle([(claim, verdict("q0", "BAD"))])
    details = await kept.interaction("q0")
    assert details is not None
    assert [one.label for one in (details.verdict, *details.history) if one] == ["BAD", "GOOD"]
    again = await archived(place)
    assert (again.interactions, await kept.count()) == (1, 0)
    assert await kept.interaction("q0") == details


@pytest.mark.parametrize("answered", [False, True])
async def test_a_late_outcome_of_a_store_s_own_sender_waits_for_nothing(
    kept: Store, place: Settings, answered: bool
) -> None:
    events = asked(0, 30)
    await kept.append(events if answered else events[:1])
    await labelled(kept)
    await archived(place)
    assert isinstance(events[0], VoiceQuery)
    late = EarlyOutcome(outcome=outcome("q0", latency_ms=5), stores=(events[0].store_id,))
    assert await kept.append([late]) == [not answered]
    assert await kept.append([late]) == [False]
    details = await kept.interaction("q0")
    assert details is not None
    assert details.outcome is not None
    assert (details.outcome.latency_ms == 5) is not answered


async def test_a_late_label_is_merged_and_can_be_taken_back(kept: Store, place: Settings) -> None:
    await filled(kept, (30,))
    await archived(place)
    assert await kept.review(verdict("q1", "REVIEW", evaluated_by="human", method="eve"))
    assert [one.label for one in await kept.verdicts(["q1"])] == ["REVIEW"]
    assert [one.label for one in await kept.automatic_verdicts(["q1", "q3"])] == ["GOOD", "GOOD"]
    await archived(place)
    assert await kept.count() == 0
    taken = await kept.take_back("q1", given_at=None, now=NOW)
    assert taken is not None
    assert [one.label for one in await kept.verdicts(["q1"])] == ["GOOD"]
    assert not await kept.review(verdict("nobody", "BAD", evaluated_by="human"))


async def test_what_waits_for_a_label_stays(kept: Store, place: Settings) -> None:
    await kept.append([*asked(0, 30), *asked(1, 30)])
    [claim] = await kept.claim_due(1, now=NOW, lease_ms=LEASE_MS)
    await kept.settle([(claim, verdict(claim.query_id))])
    done = await archived(place)
    assert (done.interactions, done.waiting, await kept.count()) == (1, 1, 1)


async def test_without_the_archive_nothing_is_lost_or_made_up(store: Store, place: Settings) -> None:
    await filled(store, (30,))
    await archived(place)
    with pytest.raises(StoreUnavailable, match="archive"):
        await store.interaction("q0")
    assert await store.append(asked(0, 30)) == [False, False]
    # Whose they are is known without a file, so that a key of some stores, or masking by store, waits for none.
    assert await store.stores_of(["q0", "q1", "nobody"]) == {"q0": "other", "q1": "shop"}


async def test_a_file_that_is_missing_is_told(kept: Store, place: Settings) -> None:
    await filled(kept, (30,))
    await archived(place)
    rmtree(place.archive_url)
    assert stock_of(place) == Stock(files=2, missing=2, unknown=0)
    with pytest.raises(ArchiveError, match="2 of 2 files"):  # a command that builds columns would wait for ever
        refuse_missing_files(place)
    with pytest.raises(StoreUnavailable, match="lacks a file"):
        await kept.interaction("q0")


async def test_what_lies_in_files_that_are_gone_is_given_up_and_all_else_goes_on(kept: Store, place: Settings) -> None:
    await filled(kept, (30, 29))
    await archived(place)
    held = {file.path: file.held for file in files_of(place)}
    away = move(place.archive_url, f"{place.archive_url}.away")
    with pytest.raises(ArchiveError, match="4 of the archive's 4 files"):  # as a disk that isn't mounted
        await abandoned(place)
    move(away, place.archive_url)
    assert await abandoned(place) == Abandoned(days=0, interactions=0, files=0)
    lost = next(path for path in held if "store_id=other" in path)
    async with asked_of(kept) as client:
        before = (await client.get(f"/stats/summary{ALL}")).json()["totalQueries"]
        move(f"{place.archive_url}/{lost}", f"{place.archive_url}.lost")
        assert await abandoned(place) == Abandoned(days=1, interactions=held[lost], files=1)
        assert (await client.get(f"/stats/summary{ALL}")).json()["totalQueries"] == before - held[lost]
        assert (await client.get("/verify", params={"rebuild": "true"})).json()["differing"] == 0
    assert stock_of(place) == Stock(files=3, missing=0, unknown=0)
    assert await kept.interaction("q0") is None
    assert await kept.append(asked(0, 30)) == [True, True]  # new, as it would be to anybody
    assert (await restored(place)).interactions == 24 - held[lost]


async def test_even_most_files_can_be_given_up(kept: Store, place: Settings) -> None:
    await filled(kept, (30,))
    await archived(place)
    rmtree(place.archive_url)
    assert (await abandoned(place, even_most=True)).interactions == 12
    assert stock_of(place) == Stock(files=0, missing=0, unknown=0)
    assert (await kept.count(), await kept.wide_rows(["q0"])) == (0, [])


async def test_nothing_is_written_where_not_one_file_lies(kept: Store, place: Settings) -> None:
    await filled(kept, (30, 20))
    await archived(place, older_than=25)
    away = move(place.archive_url, f"{place.archive_url}.away")
    Path(place.archive_url).mkdir()  # noqa: ASYNC240 (as a disk's folder is before it is mounted)
    with pytest.raises(ArchiveError, match=r"isn't mounted; nothing was written"):
        await archived(place)
    with opened_archiver(place) as archiver, pytest.raises(ArchiveError, match="isn't mounted"):
        keep(archiver, replace(place, archive_after_days=7), moment=NOW)
    assert list(Path(place.archive_url).iterdir()) == []  # noqa: ASYNC240
    Path(place.archive_url).rmdir()  # noqa: ASYNC240
    move(away, place.archive_url)
    assert (await archived(place)).interactions == 12
    rmtree(place.archive_url)
    assert (await abandoned(place, even_most=True)).interactions == 24
    await kept.append(asked(90, 30))
    await labelled(kept)
    assert (await archived(place)).interactions == 1


async def test_more_than_half_of_the_files_is_not_given_up_without_a_word(kept: Store, place: Settings) -> None:
    await filled(kept, (30, 29))
    await archived(place)
    files = files_of(place)
    away = move(place.archive_url, f"{place.archive_url}.away")
    for file in files[:1]:  # as one that a run has put into an empty folder
        Path(place.archive_url, file.path).parent.mkdir(parents=True)
        move(f"{away}/{file.path}", f"{place.archive_url}/{file.path}")
    with pytest.raises(ArchiveError, match="3 of the archive's 4 files"):
        await abandoned(place)
    with opened_archiver(place) as archiver, pytest.raises(ArchiveError, match="3 of the archive's 4 files"):
        lost(archiver, even_most=False)
    assert len(files_of(place)) == 4
    assert (await abandoned(place, even_most=True)).files == 3


async def test_what_lies_behind_a_link_is_there(kept: Store, place: Settings) -> None:
    await filled(kept, (30, 29))
    await archived(place)
    [linked, *_] = sorted(Path(place.archive_url).iterdir())  # noqa: ASYNC240
    away = move(linked, f"{place.archive_url}.elsewhere")
    linked.symlink_to(away)
    assert (stock_of(place), await abandoned(place)) == (STOCKED, NOTHING)
    copy(next(Path(away).rglob("*.parquet")), linked / "store_id=shop" / "part-of-then.parquet")  # noqa: ASYNC240
    assert stock_of(place) == replace(STOCKED, unknown=1)  # which nobody is forgotten in, and so has to be told
    (linked / "store_id=shop" / "part-of-then.parquet").unlink()
    move(away, f"{away}.unmounted")
    assert stock_of(place) == replace(STOCKED, missing=2)
    with pytest.raises(ArchiveError, match="a link leads nowhere"):
        await abandoned(place, even_most=True)
    linked.unlink()
    assert (await abandoned(place)).files == 2


STOCKED = Stock(files=4, missing=0, unknown=0)
NOTHING = Abandoned(days=0, interactions=0, files=0)


async def test_a_file_that_is_written_anew_while_it_is_looked_for_is_not_gone(kept: Store, place: Settings) -> None:
    await filled(kept, (30,))
    await archived(place)
    with opened_archiver(place) as archiver:
        looks = archiver.files

        def between(there: Callable[..., Names]) -> Callable[..., Names]:
            def look(*arguments: Any, **more: Any) -> Names:
                """Look, and have all files removed, and others written, just before or just after."""
                restored_now(place)
                found = there(*arguments, **more)
                with opened_archiver(place, clock=lambda: NOW) as other:
                    other.run(TODAY - 7)
                return found

            return look

        looks.lacking = between(looks.lacking)  # type: ignore[method-assign]
        looks.names = between(looks.names)  # type: ignore[method-assign]
        assert lost(archiver, even_most=True) == []
        assert taken(archiver).missing == 0


def restored_now(place: Settings, *, last: int | None = None) -> Restored:
    with opened_archiver(place) as archiver:
        return restore(archiver, first=None, last=last, now=NOW)


async def abandoned(place: Settings, *, even_most: bool = False) -> Abandoned:
    def run() -> Abandoned:
        with opened_archiver(place) as archiver:
            return abandon(archiver, even_most=even_most, now=NOW)

    return await asyncio.to_thread(run)


def files_of(place: Settings) -> list[ArchiveFile]:
    with opened_archiver(place) as archiver:
        return archiver.shelf.files()


async def test_what_leaves_while_a_database_is_copied_is_told(
    kept: Store, place: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await filled(kept, (30,))
    assert tell_of_archive(place, "they aren't copied") == 0
    tell_of_leaving(place, 0)
    assert capsys.readouterr().err == ""
    await archived(place)
    tell_of_leaving(place, 0)
    assert capsys.readouterr().err.startswith("12 more have gone into the archive meanwhile")


async def test_two_may_archive_at_once(kept: Store, place: Settings) -> None:
    await filled(kept, (30, 29, 28))
    runs = await asyncio.gather(archived(place), archived(place))
    assert await kept.count() == 0
    assert sum(run.interactions for run in runs) == 36
    assert sum(run.files for run in runs) == stock_of(place).files
    assert kept.past is not None
    assert await kept.past.count() == 36


async def test_a_person_is_forgotten_in_the_archive_too(kept: Store, place: Settings) -> None:
    # Hers: what names her, and what names nobody in a session of which one turn lies in the tables, the other one not.
    await filled(kept, (30, 29, 1))
    await kept.append(
        [
            *asked(50, 30, session_id="hers", store_id="shop", user_id=None),
            *asked(51, 1, session_id="hers", store_id="shop", user_id="u0"),
            *asked(52, 30, session_id="shared", store_id="shop", user_id=None),
            *asked(53, 30, session_id="shared", store_id="shop", user_id="u5"),
            *asked(54, 30, session_id="shared", store_id="shop", user_id="u0"),
        ]
    )
    await labelled(kept)
    await archived(place)
    whole = {f"q{n}" for n in [*range(36), *range(50, 55)]}
    hers = {f"q{n}" for n in [*range(6), 50, 51, 54]}
    told = [one async for one in make_persons(kept).known("u0", actor="test")]
    assert {one["query"]["id"] for one in told if one["kind"] == "interaction"} == hers
    await archived(place)
    receipt = await make_persons(kept).forget("u0", actor="test")
    assert receipt.rows["voice_queries"] == len(hers)
    assert receipt.places["archive"] == len(hers) - 1 + 2  # the other turns of a session are looked at, and stay
    assert {row[0] for row in await kept.wide_rows(sorted(whole))} == whole - hers
    assert await kept.append(asked(1, 30)) == [False, False]
    for file in Path(place.archive_url).rglob("*.parquet"):  # noqa: ASYNC240 (a few files)
        assert not {flat[ID] for flats in Parquet().read(file) for flat in flats} & hers
    async with asked_of(kept) as client:
        assert (await client.get(f"/stats/summary{ALL}")).json()["totalQueries"] == len(whole) - len(hers)
        assert (await client.get("/verify")).json()["differing"] == 0
    again = await archived(place)
    assert again.waiting == 0


async def test_a_blocked_person_s_query_touches_nothing_of_who_is_in_the_archive(kept: Store, place: Settings) -> None:
    asked_before, told = asked(0, 30, user_id="bob")
    await kept.append([asked_before, *asked(1, 30), conversion("early", query_id="q2")])
    await labelled(kept)
    await archived(place)
    await kept.persons.begin("eve", id="e", actor="test", blocks=True, now=NOW)
    foreign = [query(f"q{n}", user_id="eve") for n in range(3)]  # q2 is nobody's, and what waits there goes
    assert await kept.append([*foreign, conversion("c1", query_id="q1")]) == [False] * 3 + [True]
    assert await kept.append([told, asked(1, 30)[1], outcome("q2")]) == [True, False, False]
    assert [row[0] for row in await kept.conversion_rows(["c1", "early"])] == ["c1"]
    found = await kept.interaction("q0")
    assert found is not None
    assert found.query.user_id == "bob"
    assert found.outcome is not None


async def test_files_that_the_database_does_not_know_are_told_when_somebody_is_forgotten(
    kept: Store, place: Settings
) -> None:
    # As after a backup from before the archiving was put back: the files of then lie there and count for nothing.
    await filled(kept, (30,))
    await archived(place)
    [known] = [path for path in Path(place.archive_url).rglob("*.parquet") if "other" in path.parent.name]  # noqa: ASYNC240 (a few files)
    copy(known, known.with_name("part-of-then.parquet"))
    assert stock_of(place) == Stock(files=2, missing=0, unknown=1)
    receipt = await make_persons(kept).forget("u0", actor="test")
    assert [words for words in receipt.remains if "1 files in the archive's place are unknown" in words]
    known.with_name("part-of-then.parquet").unlink()
    receipt = await make_persons(kept).forget("u1", actor="test")
    assert [words for words in receipt.remains if "archive" in words] == []


async def test_a_run_that_was_killed_while_making_a_file_leaves_nothing_of_it(kept: Store, place: Settings) -> None:
    await filled(kept, (30,))

    def kill(path: Path, name: str) -> None:
        left = Path(place.archive_url, name)
        left.parent.mkdir(parents=True)
        left.with_name(f"{UNFINISHED}{left.name}").write_bytes(path.read_bytes())
        raise Killed

    with opened_archiver(place, clock=lambda: NOW) as archiver:
        archiver.files.put = kill  # type: ignore[method-assign]
        with pytest.raises(Killed):
            archiver.run(TODAY - 7)
    assert [path.name for path in Path(place.archive_url).rglob(f"{UNFINISHED}*")]  # noqa: ASYNC240 (a few files)
    left_behind = cache_of(place) / WORK
    left_behind.mkdir(parents=True, exist_ok=True)
    left_behind.joinpath("part.parquet").write_text("somebody")
    await make_persons(kept).forget("nobody", actor="test")
    assert not left_behind.exists()
    assert [path for path in Path(place.archive_url).rglob("*") if path.is_file()] == []  # noqa: ASYNC240


class Killed(BaseException):
    """As if the process had ended."""


def stock_of(place: Settings) -> Stock:
    with opened_archiver(place) as archiver:
        return taken(archiver)


async def test_what_is_too_old_is_deleted_and_its_totals_stay_or_go(kept: Store, place: Settings) -> None:
    await filled(kept, (30, 29, 1))
    hours = [
        HourlySums(
            store_id="shop",
            hour_bucket=(NOW - days * DAY_MS) // 3_600_000 * 3_600,
            total_queries=8,
            successful_queries=8,
            failed_queries=0,
            total_latency_ms=1.0,
            unique_sessions=4,
            total_cost_usd=0.0,
        )
        for days in (29, 1)
    ]
    await kept.save_hourly(hours)
    await archived(place, older_than=29)
    async with asked_of(kept) as client:
        deleted = await deleted_before(place, TODAY - 7, keeps_totals=True)
        assert (deleted.interactions, deleted.archived, deleted.conversions) == (12, 12, 1)
        assert (await client.get(f"/stats/summary{ALL}")).json()["totalQueries"] == 12
        assert (await client.get("/verify")).json()["differing"] == 0
    assert kept.past is not None
    assert (await kept.count(), await kept.past.count()) == (12, 0)
    assert not list(Path(place.archive_url).rglob("*.parquet"))  # noqa: ASYNC240 (a few files)
    nothing = [replace(one, total_queries=0, successful_queries=0) for one in hours]
    await kept.save_hourly(nothing)  # as the columns tell of hours that have nothing any more
    assert totals_of(place) == [hours[0].hour_bucket]
    assert found_in(place, "SELECT id FROM archived_sessions") == []
    await kept.save_hourly(hours)
    await deleted_before(place, TODAY - 7, keeps_totals=False)
    assert totals_of(place) == [hours[1].hour_bucket]


async def test_what_waits_in_vain_is_deleted_with_the_rest(kept: Store, place: Settings) -> None:
    old, young = NOW - 30 * DAY_MS, NOW - 1 * DAY_MS
    await kept.append(
        [EarlyOutcome(outcome=outcome("o", received_at=at), stores=("shop", f"{at}")) for at in (old, young)]
    )
    assert (await deleted_before(place, TODAY - 7, keeps_totals=True)).others == 1
    assert found_in(place, "SELECT count(*) FROM early_outcomes") == [1]
    await kept.append([query("o", store_id="shop", created_at=young, received_at=young)])
    details = await kept.interaction("o")
    assert details is not None
    assert details.outcome is not None
    assert details.outcome.received_at == young


async def deleted_before(place: Settings, day: int, *, keeps_totals: bool) -> Deleted:
    def run() -> Deleted:
        with opened_archiver(place, clock=lambda: NOW) as archiver:
            return delete_before(archiver, day, keeps_totals=keeps_totals, now=NOW)

    return await asyncio.to_thread(run)


def totals_of(place: Settings) -> list[int]:
    """The hours that have totals."""
    return found_in(place, "SELECT hour_bucket FROM voice_stats_hourly ORDER BY hour_bucket")


def found_in(place: Settings, sql: str) -> list[int]:
    with opened_archiver(place) as archiver:
        return [cell for (cell,) in archiver.shelf.side._fetch(sql, {}, None)]


async def test_outcomes_that_come_while_their_queries_leave_are_merged(kept: Store, place: Settings) -> None:
    ids = [f"q{n}" for n in range(60)]
    await kept.append([asked(n, 30)[0] for n in range(60)])
    await kept.leave(await kept.claim_due(1_000, now=LATER, lease_ms=LEASE_MS))

    async def answer(id: str) -> list[bool]:
        return await kept.append([outcome(id, latency_ms=7), query(f"beside-{id}")])

    run, *answered = await asyncio.gather(archived(place), *map(answer, ids))
    assert answered == [[True, True]] * 60
    assert run.interactions <= 60
    assert kept.past is not None
    assert await kept.count() + await kept.past.count() == 120
    found = [await kept.interaction(id) for id in ids]
    assert [one.outcome.latency_ms for one in found if one is not None and one.outcome is not None] == [7] * 60
    assert await kept.append([outcome(id) for id in ids]) == [False] * 60


async def test_what_is_restored_is_as_before_and_said_twice_does_nothing(kept: Store, place: Settings) -> None:
    await filled(kept)
    await archived(place)
    async with asked_of(kept) as client:
        before = await answers(client, ["q0"])
        back = await restored(place, last=TODAY - 30)
        assert (back.days, back.interactions) == (1, 12)
        assert kept.past is not None
        assert (await kept.count(), await kept.past.count()) == (24, 12)
        assert (await restored(place)).interactions == 12
        assert await restored(place) == Restored(days=0, interactions=0, files=0)
        assert differing(await answers(client, ["q0"]), before) == {}
        assert (await client.get("/verify")).json()["differing"] == 0
    assert not list(Path(place.archive_url).rglob("*.parquet"))  # noqa: ASYNC240 (a few files)
    assert (await archived(place)).interactions == 24


async def restored(place: Settings, *, last: int | None = None) -> Restored:
    return await asyncio.to_thread(restored_now, place, last=last)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_who_was_archived_and_is_forgotten_leaves_no_byte(kept: Store, place: Settings, database: str) -> None:
    file = Path(database.removeprefix("sqlite:///"))
    await kept.append([*asked(0, 30, query_text="find xyzzy", session_id="xyzzy"), *asked(7, 30)])
    await labelled(kept)
    await archived(place)
    await make_persons(kept).forget("u0", actor="test")
    assert (await kept.count(), await kept.wide_rows(["q0"])) == (0, [])
    left = [path for path in file.parent.rglob("*") if path.is_file()]
    assert len(left) > 1
    assert [path.name for path in left if b"xyzzy" in path.read_bytes()] == []


async def test_columns_that_somebody_added_are_not_left_behind(kept: Store, place: Settings) -> None:
    await filled(kept, (30,))
    with opened_archiver(place) as archiver:
        archiver.shelf.side._connection.execute("ALTER TABLE voice_queries ADD COLUMN mood TEXT")
    with pytest.raises(ArchiveError, match=r"voice_queries\.mood"):
        await archived(place)
    assert await kept.count() == 12
