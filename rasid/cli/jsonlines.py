"""One JSON object a line: read as it was written, written so that no reader tears it."""

import json
import re
from typing import Any, NoReturn

_SPACE = re.compile(r"[ \t\n\r]*")
_BETWEEN = re.compile(r"[ \t\n\r]*[,:]?[ \t\n\r]*")
# Some readers (Python's str.splitlines) end a line at these too. All but CR stand in strings
# only, CR between tokens only.
_TEARING = re.compile("[\x85\u2028\u2029\r]")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"is not JSON: {constant} is no number")


# Numbers are never computed with, so none is too long or too large.
_DECODER = json.JSONDecoder(
    parse_constant=_refuse, parse_int=lambda digits: 0, parse_float=lambda digits: 0.0
)


def one_line(text: str) -> str:
    """The JSON `text` with nothing in it that any reader takes for the end of a line."""
    return _TEARING.sub(lambda it: " " if it[0] == "\r" else f"\\u{ord(it[0]):04x}", text)


class Row:
    """An object: `values` to be read (numbers are 0), and its members as they were written."""

    def __init__(self, text: str) -> None:
        """Raises ValueError with what is wrong with `text`."""
        try:
            values: Any = _DECODER.decode(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"is not JSON: {error.msg} (character {error.pos})") from None
        except RecursionError:
            raise ValueError("is nested too deeply") from None
        if not isinstance(values, dict):
            raise ValueError("is no JSON object")
        self.values: dict[str, Any] = values
        self._text = text

    def with_member(self, key: str, value: Any) -> str:
        """The object as it was written, and `key`, in the place of one that it had."""
        whole = self._text.strip(" \t\r\n")
        if key in self.values:
            whole = "{" + ", ".join(raw for name, raw in self._members() if name != key) + "}"
        before = whole[:-1].rstrip(" \t\r\n")
        comma = "" if before == "{" else ", "
        return f"{before}{comma}{json.dumps(key)}: {_dumps(value)}}}"

    def _members(self) -> list[tuple[str, str]]:
        """Keys, and members as they were written. The text has been parsed, so it is well."""
        text = self._text
        found: list[tuple[str, str]] = []
        position = _end(_SPACE, text, text.index("{") + 1)
        while text[position] != "}":
            key, end = _DECODER.raw_decode(text, position)
            _, end = _DECODER.raw_decode(text, _end(_BETWEEN, text, end))
            found.append((key, text[position:end]))
            position = _end(_BETWEEN, text, end)
        return found


def _dumps(value: Any) -> str:
    """Arabic as it is; escaped where it holds a lone surrogate, which cannot be written."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value)
    return text


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position
