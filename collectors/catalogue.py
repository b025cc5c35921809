"""Sources: the bundled catalogue, and choosing from it.

`sources.yaml` is checked strictly: a mistake is one ConfigError that names file, line, key
and what is wrong, for every mistake in it.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from streams.errors import ConfigError

BUNDLED: Final = Path(__file__).with_name("sources.yaml")
CORE: Final = "core"

FeedKind = Literal["feed", "sitemap"]


@dataclass(frozen=True, slots=True)
class Feed:
    """An address polled. `verified`: the date on which it was last seen to answer with
    entries, or "never"; `evidence`: what the address stands on until then."""

    url: str
    interval_s: float | None = None  # None: its own rhythm
    kind: FeedKind = "feed"
    verified: str = "never"
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A publisher. `name` is what its readers call it; `country` is where it is based."""

    id: str
    name: str
    name_latin: str = ""
    language: str = "ar"
    country: str | None = None
    homepage: str | None = None
    feeds: tuple[Feed, ...] = ()
    tags: tuple[str, ...] = ()


@cache
def load_catalogue() -> dict[str, Source]:
    """The bundled sources by id, in the file's order. Read once; do not change it.

    Raises ConfigError."""
    return {source.id: source for source in read_sources(BUNDLED)}


def select(catalogue: Mapping[str, Source], names: Sequence[str]) -> list[Source]:
    """The sources that `names` (ids or tags; `all`; `none`) mean, each once, in the
    catalogue's order.

    Raises ConfigError for a name that is neither id nor tag, with what may have been meant."""
    tags = {tag for source in catalogue.values() for tag in source.tags}
    wanted: set[str] = set()
    unknown = []
    for name in names:
        if name in catalogue:
            wanted.add(name)
        elif name in tags:
            wanted.update(source.id for source in catalogue.values() if name in source.tags)
        elif name == "all":
            wanted.update(catalogue)
        elif name != "none":
            unknown.append(_unknown(name, [*catalogue, *sorted(tags), "all", "none"]))
    if unknown:
        raise ConfigError("; ".join(unknown))
    if "none" in names and len(names) > 1:
        raise ConfigError("catalogue: `none` stands alone, or not at all")
    return [source for source in catalogue.values() if source.id in wanted]


def _unknown(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}?" if near else "`rasid feeds list` shows them all"
    return f"catalogue: no source or tag {name!r}: {hint}"


# --- reading the file ----------------------------------------------------------------------

_Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=300)]
_Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#]+[^\s]*$", max_length=1_000)]
_Verified = Annotated[str, StringConstraints(pattern=r"^(never|\d{4}-\d{2}-\d{2})$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _FeedEntry(_Strict):
    url: _Url
    kind: FeedKind = "feed"
    verified: _Verified
    evidence: _Text


class _SourceEntry(_Strict):
    id: _Id
    name: _Text
    name_latin: _Text
    language: Annotated[str, StringConstraints(pattern="^[a-z]{2}$")]
    country: Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")]
    homepage: _Url
    tags: list[_Id] = []
    feeds: list[_FeedEntry] = Field(min_length=1)


def read_sources(path: Path) -> list[Source]:
    """Raises ConfigError naming every mistake with file, line and key."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    try:
        items = yaml.load(text, Loader=_loader())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or error
        raise ConfigError(f"{path}{line}: no YAML: {problem}") from error
    if not isinstance(items, list):
        raise ConfigError(f"{path}: a list of sources is expected")
    problems: list[tuple[tuple[str | int, ...], str]] = []
    entries: list[_SourceEntry] = []
    for number, item in enumerate(items):
        try:
            entries.append(_SourceEntry.model_validate(item))
        except ValidationError as error:
            problems += [((number, *wrong["loc"]), wrong["msg"]) for wrong in error.errors()]
    if not problems:
        problems = list(_repeated(entries))
    if problems:
        raise ConfigError("\n".join(_located(path, text, problems)))
    return [_source(entry) for entry in entries]


def _loader() -> Any:
    """libyaml's, ten times faster, where it is compiled in."""
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _repeated(entries: Iterable[_SourceEntry]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    ids: set[str] = set()
    urls: set[str] = set()
    for number, entry in enumerate(entries):
        if entry.id in ids:
            yield (number, "id"), f"{entry.id!r} stands twice"
        ids.add(entry.id)
        for place, feed in enumerate(entry.feeds):
            if feed.url in urls:
                yield (number, "feeds", place, "url"), f"{feed.url} stands twice"
            urls.add(feed.url)


def _located(
    path: Path, text: str, problems: Iterable[tuple[tuple[str | int, ...], str]]
) -> Iterator[str]:
    root = yaml.compose(text, Loader=_loader())
    for keys, message in problems:
        yield f"{path}:{_line(root, keys)}: {'.'.join(map(str, keys))}: {message}"


def _line(node: yaml.Node | None, keys: Sequence[str | int]) -> int:
    """The line on which the value under `keys` begins, or the nearest above it."""
    for key in keys:
        children: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode) and isinstance(key, int):
            children = node.value[key : key + 1]
        elif isinstance(node, yaml.MappingNode):
            children = [value for name, value in node.value if name.value == key]
        if not children:
            break
        node = children[0]
    return int(node.start_mark.line) + 1 if node is not None else 1


def _source(entry: _SourceEntry) -> Source:
    return Source(
        id=entry.id,
        name=entry.name,
        name_latin=entry.name_latin,
        language=entry.language,
        country=entry.country,
        homepage=entry.homepage,
        feeds=tuple(
            Feed(url=feed.url, kind=feed.kind, verified=feed.verified, evidence=feed.evidence)
            for feed in entry.feeds
        ),
        tags=tuple(entry.tags),
    )
