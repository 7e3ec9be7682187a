"""The commands about keys. They work on the database itself: who can write there needs no key to make one."""

import re
from typing import Annotated, Any

import msgspec
import typer
from rich.console import RenderableType

from aura_analytics.clock import now
from aura_analytics.errors import LoadError
from aura_analytics.guard import key
from aura_analytics.guard.network import networks as read_networks
from aura_analytics.guard.principal import SCOPES
from aura_analytics.opening import opened_store
from aura_analytics.settings import Settings
from aura_analytics.store.keys import KeyRecord
from aura_analytics.terminal import cells, commands
from aura_analytics.terminal.actor import actor
from aura_analytics.terminal.reading import HELP_JSON, Database
from aura_analytics.terminal.running import run, settings_for
from aura_analytics.terminal.screen import notes, results

UNITS_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}
LONGEST_NAME = 100

# Any, throughout: what is printed, as JSON has it.
Row = dict[str, Any]
AsJson = Annotated[bool, typer.Option("--json", help=HELP_JSON)]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id, or all of its public part: aura_sk_<id>.")]


def add_to(cli: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(help="Say who may come in: make keys, list them, take them back.", no_args_is_help=True)
    group.command("create")(_create)
    group.command("list")(_list)
    group.command("revoke")(_revoke)
    group.command("rotate")(_rotate)
    cli.add_typer(group, name="keys")


def _create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is, for people.")],
    *,
    scope: Annotated[
        list[str],
        typer.Option(metavar="SCOPE", help=f"What it may do: {', '.join(SCOPES)}; may be given several times."),
    ],
    store: Annotated[
        list[str] | None, typer.Option(metavar="STORE", help="Only this store; may be given several times.")
    ] = None,
    network: Annotated[
        list[str] | None, typer.Option(metavar="NETWORK", help="Only from there, such as 192.0.2.0/24; several times.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="PERIOD", help="Ends after 90d, 12h …; by default never.")
    ] = None,
    signed: Annotated[bool, typer.Option("--signed", help="Takes signed requests only (Standard Webhooks).")] = False,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown once, now; what is kept is its hash."""
    moment = now()
    made = key.make()
    record = KeyRecord(
        id=made.id,
        name=_named(name),
        hash=made.hash,
        scopes=_scopes(scope),
        stores=tuple(store) if store else None,
        networks=_networks(network) if network else None,
        signed_only=signed,
        signing_secret=key.make_signing_secret() if signed else None,
        created_at=moment,
        expires_at=None if expires is None else moment + period_ms("--expires", expires),
    )
    run(create(settings_for(database), record))
    _show_secret(made, record, as_json=as_json)


def _list(*, database: Database = None, as_json: AsJson = False) -> None:
    """List the keys there ever were, the newest first."""
    records = run(listed(settings_for(database)))
    commands.show([told(record) for record in records], keys_table, as_json=as_json or not results().is_terminal)


def _revoke(id: KeyId, *, database: Database = None) -> None:
    """Take a key back; running servers refuse it within seconds."""
    key_id = _id(id)
    run(revoke(settings_for(database), key_id))
    notes().print(f"revoked {key_id}", markup=False)


def _rotate(
    id: KeyId,
    *,
    keep: Annotated[str, typer.Option(metavar="PERIOD", help="How long the old one goes on: 24h, 0m …")] = "24h",
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Make a key in place of another one, with the same rights; the old one goes on for a while."""
    made = key.make()
    record = run(rotate(settings_for(database), _id(id), made, keep_ms=period_ms("--keep", keep)))
    _show_secret(made, record, as_json=as_json)


async def create(settings: Settings, record: KeyRecord) -> None:
    """Keep a new key."""
    async with opened_store(settings) as store:
        await store.keys.create(record, actor=actor())


async def listed(settings: Settings) -> list[KeyRecord]:
    """Give all keys."""
    async with opened_store(settings) as store:
        return await store.keys.keys()


async def revoke(settings: Settings, key_id: str) -> None:
    """Take a key back.

    Raises:
        LoadError: there is none to take back.
    """
    async with opened_store(settings) as store:
        if not await store.keys.revoke(key_id, now=now(), actor=actor()):
            raise LoadError(f"no key {key_id} is in use")


async def rotate(settings: Settings, key_id: str, made: key.NewKey, *, keep_ms: int) -> KeyRecord:
    """Keep a new key in place of another one; give what was kept.

    Raises:
        LoadError: that one isn't in use.
    """
    moment = now()
    async with opened_store(settings) as store:
        old = next((one for one in await store.keys.keys() if one.id == key_id), None)
        if old is not None:
            successor = _successor(old, made, moment)
            ends_at = moment + keep_ms
            if await store.keys.rotate(key_id, successor, ends_at=ends_at, now=moment, actor=actor()):
                return successor
    raise LoadError(f"no key {key_id} is in use")


def _successor(old: KeyRecord, made: key.NewKey, moment: int) -> KeyRecord:
    """Give a key the rights of another; it lasts as long as that one was meant to."""
    return msgspec.structs.replace(
        old,
        id=made.id,
        hash=made.hash,
        signing_secret=key.make_signing_secret() if old.signing_secret else None,
        rotated_from=old.id,
        created_at=moment,
        expires_at=None if old.expires_at is None else moment + old.expires_at - old.created_at,
        revoked_at=None,
        last_used_at=None,
    )


def told(record: KeyRecord) -> Row:
    """Say what a key may do, as it is printed: without its hash and its secret."""
    moment = now()
    state = "in use" if record.is_live(moment) else "revoked" if record.revoked_at is not None else "expired"
    return {
        "id": record.id,
        "name": record.name,
        "state": state,
        "scopes": list(record.scopes),
        "stores": None if record.stores is None else list(record.stores),
        "networks": None if record.networks is None else list(record.networks),
        "signed_only": record.signed_only,
        "rotated_from": record.rotated_from,
        "created_at": record.created_at,
        "expires_at": record.expires_at,
        "revoked_at": record.revoked_at,
        "last_used_at": record.last_used_at,
    }


def keys_table(rows: list[Row]) -> RenderableType:
    """Show keys."""
    table = cells.table("Keys", "id", "name", "", "scopes", "stores", "networks", "last used", "ends")
    for row in rows:
        table.add_row(
            row["id"],
            cells.said(row["name"]),
            row["state"] + (", signed" if row["signed_only"] else ""),
            ", ".join(row["scopes"]),
            cells.said("all" if row["stores"] is None else ", ".join(row["stores"])),
            "all" if row["networks"] is None else ", ".join(row["networks"]),
            _moment(row["last_used_at"]),
            _moment(row["expires_at"]),
        )
    return table


def _moment(value: int | None) -> str:
    return cells.NOTHING if value is None else cells.moment(value)


def period_ms(option: str, text: str) -> int:
    """Read a length of time, such as 90d.

    Raises:
        LoadError: it is none.
    """
    found = re.fullmatch(r"(\d{1,6})([mhd])", text.strip())
    if found is None:
        raise LoadError(f"{option} is “{text}”; it takes minutes, hours or days, such as 90d")
    return int(found[1]) * UNITS_MS[found[2]]


def _show_secret(made: key.NewKey, record: KeyRecord, *, as_json: bool) -> None:
    """Print a key, alone on standard output, so that a script can take it; the rest is for people."""
    if as_json:
        shown = {"key": made.token, "signing_secret": record.signing_secret, **told(record)}
        commands.show(shown, keys_table, as_json=True)
        return
    notes().print("Keep it now, it isn't shown again:", markup=False)
    print(made.token)  # noqa: T201 (the result)
    if record.signing_secret:
        print(record.signing_secret)  # noqa: T201 (the result)


def _named(name: str) -> str:
    if not 0 < len(name.strip()) <= LONGEST_NAME or not name.isprintable():
        raise LoadError(f"a key's name has 1 to {LONGEST_NAME} printable characters")
    return name.strip()


def _scopes(given: list[str]) -> tuple[str, ...]:
    for scope in given:
        if scope not in SCOPES:
            raise LoadError(f"“{scope}” is no scope; there are {', '.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in given)


def _networks(given: list[str]) -> tuple[str, ...]:
    try:
        return tuple(str(network) for network in read_networks(" ".join(given)))
    except ValueError as error:
        raise LoadError(f"--network: {error}") from error


def _id(text: str) -> str:
    """Take the id as it is listed, or as it stands in the key."""
    return key.id_of(text) or text
