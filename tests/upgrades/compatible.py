"""May two releases share a log? Compared by what each writes and takes (`shape.json`)."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

# What a schema says to people only, or of what a reader puts in for what is not there.
_SILENT = ("default", "description", "title")


def breaks(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What one of two releases, side by side in age, would not take of the other's, although
    the numbers that would make it refuse are the same. Empty: they may share a log, or the
    older one refuses it with a word."""
    found: list[str] = []
    if now["version"] == before["version"]:
        found += [f"{what}: raise streams.records.VERSION" for what in _records(before, now)]
    elif now["version"] != before["version"] + 1:
        found.append("streams.records.VERSION goes up by one: a reader takes the one before")
    if now["format"] == before["format"] and now["tables"] != before["tables"]:
        found.append("the file's tables are others: raise streams.sqlite_file.FORMAT")
    return found


def _records(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for kind, then in before["records"].items():
        if kind not in now["records"]:
            yield f"{kind} is gone"
            continue
        fields = now["records"][kind]["properties"]
        for name, meaning in then["properties"].items():
            if name not in fields:
                yield f"{kind}.{name} is gone"
            elif _told(fields[name]) != _told(meaning):
                yield f"{kind}.{name} means something else"
        for name in now["records"][kind]["required"]:
            if name not in then["required"]:
                yield f"{kind}.{name} has no default: what is written already lacks it"


def _told(meaning: Any) -> str:
    if isinstance(meaning, dict):
        meaning = {key: value for key, value in meaning.items() if key not in _SILENT}
    return json.dumps(meaning, sort_keys=True)
