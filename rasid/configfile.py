"""Reading the configuration file: every problem at once, each with its line and key.

    text ─ parse ─▶ tree ─ ${NAME}, …_file ─▶ values ─ keys and types ─▶ Config
                      └───────────── names that refer to others ─▶ problems

Secrets come from the environment or from files and never stand in a message.
"""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from collectors.catalogue import load_catalogue, select
from rasid.config import Config, serve_address
from rasid.yamltree import Loc, Problem, Tree, parse_tree, read_tree
from streams.errors import ConfigError
from streams.records import DEVELOPMENTS

_ENVIRONMENT = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_UNSET = "http://unset.invalid"  # stands in for what could not be had; the problem is told once
_SECRET_KEYS = {"webhook_url", "token", "password", "smtp", "webhook", "push", "secret"}

DEFAULT_FILE = Path("rasid.yaml")


def load(path: Path | None, *, environment: Mapping[str, str] | None = None) -> Config:
    """The configuration of `path`; without one, rasid.yaml here if there is one, else defaults.

    Raises ConfigError with all problems, a line each.
    """
    if path is None and not DEFAULT_FILE.exists():
        config, problems = check(parse_tree("", "defaults"), environment)
    else:
        config, problems = check(read_tree(path or DEFAULT_FILE), environment)
    if config is None:
        raise ConfigError("\n".join(str(p) for p in problems))
    return config


def check(
    tree: Tree, environment: Mapping[str, str] | None = None
) -> tuple[Config | None, list[Problem]]:
    """Check a parsed file: the configuration, or None and every problem found."""
    if tree.data is None:
        data: dict[str, Any] = {}
    elif isinstance(tree.data, dict):
        data = tree.data
    else:
        tree.problem((), "holds no keys; `rasid init` writes a file to start from")
        return None, tree.problems
    if tree.problems and not data:
        return None, tree.problems
    tainted: set[Loc] = set()  # values from the environment: never shown
    data = _substitute(tree, data, os.environ if environment is None else environment, (), tainted)
    _read_secret_files(tree, data)
    config: Config | None = None
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_context=False):
            _explain(tree, data, detail, tainted)
    _check_names(tree, data)
    tree.problems.sort(key=lambda p: p.line)
    if tree.problems or config is None:
        return None, tree.problems
    return config, []


def _substitute(
    tree: Tree, value: Any, environment: Mapping[str, str], loc: Loc, tainted: set[Loc]
) -> Any:
    if isinstance(value, dict):
        return {k: _substitute(tree, v, environment, (*loc, k), tainted) for k, v in value.items()}
    if isinstance(value, list):
        return [_substitute(tree, v, environment, (*loc, i), tainted) for i, v in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value

    def replace(match: re.Match[str]) -> str:
        tainted.add(loc)
        if match[1] not in environment:
            tree.problem(loc, f"the environment has no {match[1]}")
            return _UNSET
        return environment[match[1]]

    return _ENVIRONMENT.sub(replace, value)


def _read_secret_files(tree: Tree, data: dict[str, Any]) -> None:
    """Put what `…_file` keys name in the place of the secret itself."""
    receivers = data.get("receivers")
    for i, receiver in enumerate(receivers if isinstance(receivers, list) else []):
        for channel in ("slack", "email", "webhook", "push"):
            part = receiver.get(channel) if isinstance(receiver, dict) else None
            if not isinstance(part, dict):
                continue
            for key in [k for k in part if k.endswith("_file")]:
                loc: Loc = ("receivers", i, channel, key)
                name = key.removesuffix("_file")
                if name in part:
                    tree.problem(loc, f"stands beside {name}: one of them is enough")
                    continue
                try:
                    secret = Path(str(part[key])).read_text(encoding="utf-8").strip()
                except (OSError, UnicodeDecodeError, ValueError) as error:
                    reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
                    tree.problem(loc, f"{part[key]} cannot be read: {reason}")
                    secret = _UNSET
                if not secret:
                    tree.problem(loc, f"{part[key]} is empty")
                part[name] = secret or _UNSET


def _explain(tree: Tree, data: Any, detail: Any, tainted: set[Loc]) -> None:
    """One pydantic error as a problem in Rasid's own words."""
    loc: Loc = _known(tuple(detail["loc"]), data)
    if detail.get("input") == _UNSET:
        return  # already told
    kind, message = detail["type"], str(detail["msg"])
    value = detail.get("input")
    secret = loc in tainted or any(part in _SECRET_KEYS for part in loc)
    if kind == "extra_forbidden":
        tree.problem(loc, "unknown key" + did_you_mean(str(loc[-1]), _fields_at(loc[:-1])))
    elif kind == "missing":
        tree.problem(loc, "is missing")
    elif kind == "literal_error":
        expected = re.findall(r"'([^']*)'", message)
        shown = "" if secret else f"{value!r} "
        hint = did_you_mean(str(value), expected) if not secret else ""
        tree.problem(loc, f"{shown}is none of {', '.join(expected)}{hint}")
    elif kind == "value_error":
        shown = "" if secret or not isinstance(value, (str, int, float)) else f"{value!r} "
        tree.problem(loc, shown + message.removeprefix("Value error, "))
    elif kind in ("model_type", "model_attributes_type", "dict_type"):
        tree.problem(loc, "holds keys of its own: write them below it, indented")
    else:
        words = message[0].lower() + message[1:]
        shown = "" if secret or isinstance(value, (dict, list)) else f" (it is {value!r})"
        tree.problem(loc, words + shown)


def _known(loc: Loc, data: Any) -> Loc:
    """Without the steps pydantic adds for validators and unions, which the file does not have."""
    kept: list[str | int] = []
    for i, part in enumerate(loc):
        last = i == len(loc) - 1
        inside = (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        )
        if inside:
            kept.append(part)
            data = data[part]
        elif last and isinstance(part, str) and isinstance(data, dict):
            kept.append(part)  # a missing key
    return tuple(kept)


def _fields_at(loc: Loc) -> list[str]:
    model: Any = Config
    for part in loc:
        if isinstance(part, int):
            continue
        for name, info in model.model_fields.items():
            if part in (name, info.alias):
                model = _model_in(info.annotation)
        if model is None:
            return []
    return [info.alias or name for name, info in model.model_fields.items()]


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found is not None:
            return found
    return None


def did_you_mean(word: str, known: list[str]) -> str:
    """`; did you mean …?` when something known is near, else what there is when that is short."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; there are {', '.join(known)}" if 0 < len(known) <= 12 else ""


def _check_names(tree: Tree, data: dict[str, Any]) -> None:
    """What one key says of another: read defensively, for the file may be wrong elsewhere."""
    if "log" in data:
        log = data["log"]
        if not (isinstance(log, str) and re.match(r"sqlite:///[^/]", log)):
            tree.problem(("log",), "is no address like sqlite:///var/lib/rasid/rasid.db")
    serve = data.get("serve", "none")
    if isinstance(serve, str) and serve != "none":
        try:
            serve_address(serve)
        except ValueError as error:
            tree.problem(("serve",), str(error))
    catalogue = load_catalogue()
    names = data.get("catalogue", [])
    for i, name in enumerate(names if isinstance(names, list) else [names]):
        loc: Loc = ("catalogue", i) if isinstance(names, list) else ("catalogue",)
        try:
            select(catalogue, [str(name)])
        except ConfigError as error:
            tree.problem(loc, str(error).removeprefix("catalogue: "))
    _unique(tree, data, "sources", "id")
    receivers = _unique(tree, data, "receivers", "name")
    mute_times = _unique(tree, data, "mute_times", "name")
    route = data.get("route")
    if route is None and len(receivers) > 1:
        tree.problem(("receivers",), "there are several, and no `route` says who gets what")
    pending: list[tuple[Loc, Any]] = [(("route",), route)]
    while pending:
        loc, node = pending.pop()
        if not isinstance(node, dict):
            continue
        name = node.get("receiver")
        if isinstance(name, str) and name not in receivers:
            tree.problem(
                (*loc, "receiver"), f"no receiver is named {name!r}{did_you_mean(name, receivers)}"
            )
        named = node.get("mute")
        for i, mute in enumerate(named if isinstance(named, list) else []):
            if mute not in mute_times:
                hint = did_you_mean(str(mute), mute_times)
                tree.problem((*loc, "mute", i), f"no mute time is named {mute!r}{hint}")
        _check_match(tree, (*loc, "match"), node.get("match"))
        children = node.get("routes")
        if isinstance(children, list):
            pending += [((*loc, "routes", i), child) for i, child in enumerate(children)]


def _check_match(tree: Tree, loc: Loc, match: Any) -> None:
    if not isinstance(match, dict):
        return
    known = sorted({d for ds in DEVELOPMENTS.values() for d in ds})
    for key, fits, what in (
        ("development", lambda v: v in known, "development"),
        ("country", lambda v: re.fullmatch(r"[A-Z]{2}", v), "ISO country code, as LY"),
    ):
        values = match.get(key, [])
        for i, value in enumerate(values if isinstance(values, list) else [values]):
            if not fits(str(value)):
                hint = did_you_mean(str(value), known) if key == "development" else ""
                place = (*loc, key, i) if isinstance(values, list) else (*loc, key)
                tree.problem(place, f"{value!r} is no {what}{hint}")


def _unique(tree: Tree, data: dict[str, Any], key: str, field: str) -> list[str]:
    items = data.get(key)
    names: list[str] = []
    for i, item in enumerate(items if isinstance(items, list) else []):
        name = item.get(field) if isinstance(item, dict) else None
        if isinstance(name, str):
            if name in names:
                tree.problem((key, i, field), f"{name!r} stands here twice")
            names.append(name)
    return names
