"""Texts that a spreadsheet would run: a formula is what a cell begins with."""

import re

# How a text begins that a spreadsheet would take for a formula, whatever invisible or quoting characters stand before.
FORMULA = re.compile(
    r"""[\x00-\x20\x7f-\x9f\s"'`´‘’‚‛“”„‟«»\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]*"""
    r"""[=+\-@\t\r\n＝＋－＠﹢﹣﹦﹫−]"""
)


def harmless(text: str) -> str:
    """Keep a text from being a formula; a NUL, which ends a text for some readers, is shown as what can't be shown."""
    text = text.replace("\0", "\ufffd")
    return f"'{text}" if FORMULA.match(text) else text
