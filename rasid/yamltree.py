"""YAML as data together with where each value stands, so that an error can name its line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Loc = tuple[str | int, ...]

# A piece of the file in PyYAML's words; it may be of a secret. Its names of tokens are kept.
_QUOTED = re.compile(r""" ?(?:'(?!<)[^']{3,}'|"(?!<)[^"]{3,}")""")


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
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        what = _QUOTED.sub("", error.problem or error.context or "is not YAML")
        if isinstance(error, yaml.composer.ComposerError):
            what += " (a value that begins with * or & has to stand in quotes)"
        tree.problems.append(Problem(file, line, "", f"is not valid YAML: {what}"))
        return tree
    except yaml.YAMLError as error:
        tree.problem((), f"is not valid YAML: {str(error).splitlines()[0]}")
        return tree
    if node is not None:
        constructor = yaml.SafeLoader("")
        try:
            tree.data = _plain(tree, constructor, node, (), set())
        finally:
            constructor.dispose()
    return tree


def _plain(
    tree: Tree, constructor: yaml.SafeLoader, node: yaml.Node, loc: Loc, open_nodes: set[int]
) -> Any:
    tree.lines.setdefault(loc, node.start_mark.line + 1)
    if id(node) in open_nodes:
        tree.problem(loc, "contains itself")
        return None
    open_nodes = open_nodes | {id(node)}
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                tree.problem(
                    loc, f"has a key that is no word (line {key_node.start_mark.line + 1})"
                )
                continue
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in result:
                tree.problems.append(
                    Problem(tree.file, line, key_path((*loc, key)), "stands here twice")
                )
            tree.lines[(*loc, key)] = line
            result[key] = _plain(tree, constructor, value_node, (*loc, key), open_nodes)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [
            _plain(tree, constructor, item, (*loc, i), open_nodes)
            for i, item in enumerate(node.value)
        ]
    try:
        value = constructor.construct_object(node)
    except (yaml.YAMLError, ValueError):
        tree.problem(loc, "cannot be read as YAML: put the value in quotes")
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
