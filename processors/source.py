"""YAML with places: every word read knows its file, line and column."""

from pathlib import Path
from typing import Any

import yaml

from processors.errors import RuleError


class Word(str):
    """A string of a rule file and where it stands."""

    __slots__ = ("column", "file", "line")
    file: str
    line: int
    column: int

    def error(self, message: str, *, reason: str, word: str | None = None) -> RuleError:
        return RuleError(
            message,
            reason=reason,
            file=self.file,
            line=self.line,
            column=self.column,
            word=str(self) if word is None else word,
        )


def _word(value: str, mark: yaml.Mark, file: str) -> Word:
    word = Word(value)
    word.file, word.line, word.column = file, mark.line + 1, mark.column + 1
    return word


def _build(node: yaml.Node, file: str) -> Any:
    if isinstance(node, yaml.MappingNode):
        built: dict[Word, Any] = {}
        for key_node, value_node in node.value:
            key = _build(key_node, file)
            if not isinstance(key, str):
                key = _word(str(key_node.value), key_node.start_mark, file)
            if key in built:
                raise key.error("twice in one mapping", reason="duplicate")
            built[key] = _build(value_node, file)
        return built
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, file) for item in node.value]
    assert isinstance(node, yaml.ScalarNode)
    tag = node.tag.rsplit(":", 1)[-1]
    word = _word(node.value, node.start_mark, file)
    # Only numbers and booleans are read as such: a country code NO is no boolean here.
    if tag == "int" and not node.style:
        return int(node.value)
    if tag == "float" and not node.style:
        return float(node.value)
    if tag == "bool" and not node.style and node.value in ("true", "false"):
        return node.value == "true"
    if tag == "null":
        return None
    return word


def read_yaml(path: Path) -> dict[Word, Any]:
    """The mapping in a file, its strings as `Word`s. Raises RuleError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(f"cannot be read: {error}", reason="missing", file=str(path)) from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        node = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise RuleError(
            f"no valid YAML: {getattr(error, 'problem', None) or error}",
            reason="syntax",
            file=str(path),
            line=mark.line + 1 if mark else 0,
            column=mark.column + 1 if mark else 0,
        ) from error
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise RuleError("a mapping is expected", reason="schema", file=str(path), line=1, column=1)
    built: dict[Word, Any] = _build(node, str(path))
    return built
