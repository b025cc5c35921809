"""YAML as data together with where each value stands, so that an error can name its line."""

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Loc = tuple[str | int, ...]

# More than any configuration needs, and little enough to be read at once.
DEEPEST = 50
MOST_VALUES = 300_000  # 10,000 sources, each with all that can be said of it, are 150,000

_QUOTED = re.compile(r""" ?('[^']*'|"[^"]*")""")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with what a person wrote. `line` counts from 1; 0 is the whole file."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


@dataclass(slots=True)
class Tree:
    """`data` as plain Python, `lines` the line of each key path, `problems` of the syntax."""

    file: str
    data: Any = None
    lines: dict[Loc, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, loc: Loc) -> int:
        """The line of `loc`, or of the nearest enclosing key that the file has."""
        while loc:
            if loc in self.lines:
                return self.lines[loc]
            loc = loc[:-1]
        return 1 if self.lines else 0

    def problem(self, loc: Loc, message: str, *, line: int | None = None) -> None:
        """Say what is wrong at `loc`; `line` where it stands more exactly."""
        at = self.line(loc) if line is None else line
        self.problems.append(Problem(self.file, at, key_path(loc), message))


def key_path(loc: Loc) -> str:
    """`("route", "routes", 0, "match")` as `route.routes[0].match`."""
    path = ""
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def read_tree(path: Path) -> Tree:
    """Read a file. What cannot be read or parsed is a problem in the tree, never raised."""
    tree = Tree(str(path))
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        tree.problem((), f"cannot be read: {error.strerror or error}")
        return tree
    except UnicodeDecodeError as error:
        tree.problem((), f"is not UTF-8 (byte {error.start})")
        return tree
    return parse_tree(text, str(path))


def parse_tree(text: str, file: str) -> Tree:
    """Parse YAML text (one document)."""
    tree = Tree(file)
    try:
        with _uncollected():
            node = _compose(text)
            if node is not None:
                tree.data = _Reader(tree).plain(node, (), frozenset())
    except _TooMuch as error:
        tree.data = None
        tree.problems.append(Problem(file, error.line, "", str(error)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        what = _QUOTED.sub(_shown, error.problem or error.context or "is not YAML")
        if isinstance(error, yaml.composer.ComposerError):
            what += " (a value that begins with * or & has to stand in quotes)"
        tree.problems.append(Problem(file, line, "", f"is not valid YAML: {what}"))
    except yaml.YAMLError as error:
        tree.problem((), f"is not valid YAML: {str(error).splitlines()[0]}")
    return tree


def _shown(quoted: re.Match[str]) -> str:
    """What PyYAML quotes is a mark or a <token>, or else a piece of the file: maybe a secret."""
    is_ours = len(quoted[1]) <= 4 or quoted[1].startswith("'<")
    return quoted[0] if is_ours else ""


def _compose(text: str) -> yaml.Node | None:
    """libyaml reads eight times as fast; of what it refuses, PyYAML's own scanner tells more."""
    try:
        return yaml.compose(text, Loader=_Quick)
    except yaml.YAMLError:
        return yaml.compose(text, Loader=_Loader)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without looking for garbage, which among so much that stays takes as long as the reading."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


class _TooMuch(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class _Bounded(yaml.composer.Composer):
    """Composes by recursion, so brackets without end have to end somewhere."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self._depth == DEEPEST:
            line = parent.start_mark.line + 1 if parent else 1
            raise _TooMuch(line, f"is nested more than {DEEPEST} levels deep")
        self._depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Loader(_Bounded, yaml.SafeLoader):
    """PyYAML's own."""


_C: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML can be built without libyaml


class _Quick(_Bounded, _C):  # type: ignore[misc]  # either base will do
    """libyaml's events, composed here."""

    def __init__(self, stream: str) -> None:
        _C.__init__(self, stream)
        yaml.composer.Composer.__init__(self)


class _Reader:
    """Nodes to plain data. An alias is read as often as it stands, so their number is bounded."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._constructor = yaml.SafeLoader("")
        self._left = MOST_VALUES

    def plain(self, node: yaml.Node, loc: Loc, inside: frozenset[int]) -> Any:
        """`inside` are the nodes that this one is part of."""
        line = node.start_mark.line + 1
        self._left -= 1
        if self._left < 0:
            raise _TooMuch(line, f"holds more than {MOST_VALUES:,} values, with its aliases")
        self._tree.lines.setdefault(loc, line)
        if id(node) in inside:
            self._tree.problem(loc, "contains itself")
            return None
        inside |= {id(node)}
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, loc, inside)
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item, (*loc, i), inside) for i, item in enumerate(node.value)]
        return self._scalar(node, loc)

    def _mapping(self, node: yaml.MappingNode, loc: Loc, inside: frozenset[int]) -> Any:
        tree = self._tree
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                tree.problem(loc, f"has a key that is no word (line {line})")
                continue
            key = str(key_node.value)
            if key in result:
                tree.problem((*loc, key), "stands here twice", line=line)
            tree.lines[(*loc, key)] = line
            result[key] = self.plain(value_node, (*loc, key), inside)
        return result

    def _scalar(self, node: yaml.Node, loc: Loc) -> Any:
        try:
            value = self._constructor.construct_object(node)
        except (yaml.YAMLError, ValueError):
            self._tree.problem(loc, "cannot be read as YAML: put the value in quotes")
            return None
        # A bare 12:30 or 2026-01-01 is text to us; YAML would make it a number or a date.
        if value is None or isinstance(value, (bool, str)):
            return value
        return value if isinstance(value, (int, float)) and ":" not in node.value else node.value


def strings(data: Any, loc: Loc = ()) -> Iterator[tuple[Loc, str]]:
    """Every string in a tree's data with its place."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from strings(value, (*loc, key))
    elif isinstance(data, list):
        for i, value in enumerate(data):
            yield from strings(value, (*loc, i))
    elif isinstance(data, str):
        yield loc, data
