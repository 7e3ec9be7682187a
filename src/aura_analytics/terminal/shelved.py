"""What the commands that copy a database say of interactions that lie in its archive, so that nobody thinks they have them."""

from aura_analytics.archive.opening import opened_archiver
from aura_analytics.archive.stock import taken
from aura_analytics.errors import ArchiveError, AuraError, LoadError
from aura_analytics.logs import plain
from aura_analytics.settings import Settings
from aura_analytics.store import archive_path
from aura_analytics.terminal.screen import notes


def archived_in(settings: Settings) -> int:
    """Count the interactions that lie in a database's archive. It blocks."""
    with opened_archiver(settings) as archiver:
        return archiver.shelf.count()


def tell_of_archive(settings: Settings, what: str, *, count: int | None = None) -> int:
    """Say how many interactions lie in the archive, if any do, and what that means here; they are counted, if not given.

    The count is given back.
    """
    found = archived_in(settings) if count is None else count
    if found:
        place = settings.archive_url or archive_path(settings)
        notes().print(
            plain(f"{found:,} interactions lie in the archive ({place}): {what}"), markup=False, soft_wrap=True
        )
    return found


def tell_of_leaving(settings: Settings, before: int) -> None:
    """Say if interactions have gone into the archive since it was counted: whoever read the tables may lack them."""
    if (left := archived_in(settings) - before) > 0:
        notes().print(
            f"{left:,} more have gone into the archive meanwhile, of which some may be lacking:"
            " aura-analytics archive restore puts them back, and another run takes them",
            markup=False,
            soft_wrap=True,
        )


def tell_of_files(settings: Settings) -> None:
    """Say whether a database that was put back has all the files of its archive, and no others."""
    try:
        with opened_archiver(settings) as archiver:
            stock = taken(archiver)
    except AuraError as error:
        notes().print(plain(f"the archive can't be looked at: {error}"), markup=False, soft_wrap=True)
        return
    if stock.missing:
        notes().print(
            f"{stock.missing:,} files of the archive don't lie there: put back those that were copied after the backup",
            markup=False,
            soft_wrap=True,
        )
    if stock.unknown:
        notes().print(
            f"{stock.unknown:,} files lie in the archive that this database doesn't know, and in which nobody is forgotten:"
            " remove those that no backup needs",
            markup=False,
            soft_wrap=True,
        )


def refuse_missing_files(settings: Settings) -> None:
    """See that all files of the archive lie there.

    Raises:
        ArchiveError: some don't, or the place can't be looked at.
    """
    with opened_archiver(settings) as archiver:
        if not archiver.shelf.count():
            return
        stock = taken(archiver)
    if stock.missing:
        raise ArchiveError(
            f"{stock.missing:,} of {stock.files:,} files of the archive don't lie there, and the columns can't be built"
            " without them"
        )


def refuse_archive(settings: Settings, option: str) -> None:
    """See that nothing lies in the archive of a database that is copied into.

    Raises:
        LoadError: what is copied might be there already, out of the tables.
    """
    if count := archived_in(settings):
        raise LoadError(
            f"{option}: {count:,} of its interactions lie in an archive, which can't be copied into: "
            "aura-analytics archive restore puts them back first"
        )
