"""What can be wrong with a rule file, and where."""

from streams.errors import RasidError


class RuleError(RasidError):
    """A rule file is wrong. The message begins `file:line:column:` and names the word."""

    reasons = frozenset(
        {"syntax", "schema", "unknown", "circle", "empty", "duplicate", "example", "missing"}
    )

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        file: str = "",
        line: int = 0,
        column: int = 0,
        word: str = "",
    ) -> None:
        place = f"{file}:{line}:{column}: " if line else f"{file}: " if file else ""
        named = f" ({word!r})" if word and word not in message else ""
        super().__init__(f"{place}{message}{named}", reason=reason)
        self.file = file
        self.line = line
        self.column = column
        self.word = word
