"""The configuration: what is wrong with it, and what can be checked all the same."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rasid.config import Config
from rasid.configfile import check, find
from rasid.doctor.finding import Finding
from rasid.yamltree import Tree, read_tree


def configuration(path: Path | None) -> tuple[Config, list[Finding]]:
    """The configuration of `path` (as `rasid run` finds it) without the top-level keys that are
    wrong, and what was found. Nothing but defaults where the file cannot be read."""
    found = find(path)
    if found is None:
        said = "no rasid.yaml here: the bundled sources, alerts on the terminal"
        return Config(), [Finding("configuration", "ok", said)]
    tree = read_tree(found)
    config, problems = check(tree)
    if config is not None:
        return config, [Finding("configuration", "ok", f"{found}: good")]
    findings = [Finding("configuration", "wrong", str(problem)) for problem in problems]
    wrong = {problem.key.partition(".")[0].partition("[")[0] for problem in problems}
    config = _rest(tree, wrong)
    if config is None:
        config, unchecked = Config(), "all of it: the defaults are checked in its place"
    else:
        unchecked = ", ".join(f"`{key}`" for key in sorted(wrong))
    said = f"not checked further: {unchecked}"
    todo = "correct it and run the doctor again"
    return config, [*findings, Finding("configuration", "warning", said, todo)]


def _rest(tree: Tree, wrong: set[str]) -> Config | None:
    """What is left without the keys that are wrong."""
    if not isinstance(tree.data, dict) or "" in wrong:
        return None
    data: dict[Any, Any] = {key: tree.data[key] for key in tree.data if key not in wrong}
    if "receivers" not in data:
        data.pop("route", None)
    try:
        config, problems = check(Tree(tree.file, data, tree.lines))
    except ValidationError:
        return None
    return config if not problems else None
