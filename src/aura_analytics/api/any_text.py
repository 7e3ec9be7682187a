"""Paths that end in an id of the caller's own, which may hold whatever a text can."""

from starlette.convertors import Convertor, register_url_convertor

NAME = "text"


class AnyText(Convertor[str]):
    """All that follows, line feeds too: a `path` has none, so that what has one could neither be read nor erased."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        """Give the text."""
        return value

    def to_string(self, value: str) -> str:
        """Give the text."""
        return value


# Starlette knows convertors by their names, in one place for all.
register_url_convertor(NAME, AnyText())


def rest(before: str, name: str) -> str:
    """Write a path that ends in such a text."""
    return f"{before}{{{name}:{NAME}}}"
