"""Text from outside on the terminal: nothing in it may steer the terminal or turn the line."""

from rich.text import Text

from alerts.sanitize import clean

_LIMIT = 2000  # a headline, a sentence, a name


def shown(text: str, style: str = "") -> Text:
    """`text` as alerts show it: one line, no control characters, no overrides. A space at
    either end stays, so that pieces can be put together."""
    inner = clean(text, _LIMIT)
    before = " " if text[:1].isspace() else ""
    after = " " if inner and text[-1:].isspace() else ""
    return Text(before + inner + after, style)
