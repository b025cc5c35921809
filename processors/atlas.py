"""One name for a place in every script, and the regions that hold it.

A place is written as the way down to it, from its country and the largest region that
regions.yaml knows: `LY/برقة/طبرق/حريقة`; of others, country and name. Names are folded, without the
heads that only say what they are (مدينة، محافظة).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from processors.arabic import fold
from processors.source import read_yaml

_REGIONS: Final = Path(__file__).parent / "regions.yaml"
_GAZETTEERS: Final = Path(__file__).parent / "rules" / "shared"
_HEAD: Final = re.compile(
    r"^(?:(?:في|مدينة|بلدة|محافظة|قرية|ولاية|مديرية|قضاء|ناحية|منطقة|حقل|حقول|ميناء)\s+)?"
    r"(?:ال(?=\w\w\w)|(?:al|el|the) )?"
)


class Atlas:
    """What the bundled gazetteers and regions.yaml know. Raises RuleError."""

    def __init__(self) -> None:
        regions: Mapping[Any, Any] = read_yaml(_REGIONS)
        self._same: dict[str, str] = {}
        for entry in regions["same"]:
            first, *others = map(_plain, entry.split("="))
            self._same.update(dict.fromkeys(others, first))
        self._names: dict[tuple[str, str], str] = {}  # country, variant → name
        documents: list[Mapping[Any, Any]] = [
            read_yaml(path) for path in sorted(_GAZETTEERS.glob("*.yaml"))
        ]
        documents.sort(key=lambda document: document.get("gazetteer") != "countries")  # towns first
        for document in documents:
            for code, value in _places(document):
                self._alike(code, value.split("="))
        self._broad = {_plain(name) for name in regions["broad"]}
        self._ways: dict[tuple[str, str], str] = {}
        for code, held in regions.items():
            if code not in ("broad", "same", "source"):
                self._lay(code, code, held)

    @property
    def countries(self) -> frozenset[str]:
        """The codes of those it knows places in."""
        return frozenset(code for code, _ in self._names)

    def place(self, label: str, codes: Sequence[str]) -> str:
        """The way to a place by one of its names, in one of these countries; "" for a name that
        places nothing."""
        names = [(code, self._name(code, label)) for code in codes or ("",)]
        if any(name in self._broad for _, name in names):
            return ""
        return next((self._ways[name] for name in names if name in self._ways), "/".join(names[0]))

    def known(self, label: str, codes: Sequence[str]) -> str:
        """The way to a place that has this name in one of these countries; "" where none has."""
        plain = _plain(label)
        name = self._same.get(plain, plain)
        known = [c for c in codes if (c, plain) in self._names or (c, name) in self._names]
        return self.place(label, known) if known else ""

    def site(self, way: str, head: str) -> str:
        """The way to what has the name of its town, as «مطار صنعاء»; within the town, where no
        list has it."""
        town = way.rpartition("/")[2]
        if not way or town.startswith(head):
            return way
        names = ((way[:2], f"{head} {article}{town}") for article in ("", "ال"))
        return next((self._ways[name] for name in names if name in self._ways), f"{way}/{head}")

    def _lay(self, code: str, above: str, held: Any) -> None:
        for label in held:
            name = self._name(code, label)
            way = f"{above}/{name}"
            self._ways.setdefault((code, name), way)
            if isinstance(held, Mapping):
                self._lay(code, way, held[label])

    def _alike(self, code: str, variants: Sequence[str]) -> None:
        plain = [name for name in map(_plain, variants) if name]
        known = (self._names.get((code, name)) or self._same.get(name) for name in plain)
        first = next(filter(None, known), plain[0] if plain else "")
        for name in plain:
            self._names.setdefault((code, name), first)

    def _name(self, code: str, label: str) -> str:
        plain = _plain(label)
        name = self._names.get((code, plain), plain)
        return self._same.get(name, name)


def _plain(name: str) -> str:
    written = name.split("|")[0].replace("!", "").replace("+", "").replace("-", " ")
    return _HEAD.sub("", " ".join(map(fold, written.split())))


def _places(document: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    """Country and variants, divided by ` = `, of each place of a gazetteer."""
    if document.get("gazetteer") == "countries":
        for code, body in document["entries"].items():
            for value in (*body.get("towns", ()), " = ".join(body.get("capital", ()))):
                yield code, value["names"] if isinstance(value, dict) else value
    elif document.get("gazetteer") == "installations":
        for by_country in document["entries"].values():
            for code, values in by_country.items():
                for value in values:
                    yield code, value["names"] if isinstance(value, dict) else value
