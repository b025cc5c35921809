"""Reading the configuration file: every problem at once, each with its line and key.

    text ─ parse ─▶ tree ─ ${NAME}, …_file ─▶ values ─ keys and types ─▶ Config
                      └───────────── names that refer to others ─▶ problems

Secrets come from the environment or from files and never stand in a message.
"""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from collectors.catalogue import load_catalogue, select
from rasid.config import Config, serve_address
from rasid.configchecks import check_parts
from rasid.yamltree import Loc, Problem, Tree, read_tree
from streams.carriers import open_log
from streams.errors import ConfigError
from streams.records import DEVELOPMENTS, Status

_ENVIRONMENT = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_UNSET = "http://unset.invalid"  # stands in for what could not be had; the problem is told once
_SECRET_KEYS = {"webhook_url", "token", "password", "smtp", "webhook", "push", "secret"}

# pydantic's kinds of error. Where a shape is wrong the value is never shown.
_SHAPES = {
    **dict.fromkeys(
        ("model_type", "model_attributes_type", "dict_type"),
        "holds keys of its own: write them below it, indented",
    ),
    "list_type": "is a list: write its items below it, each after a hyphen",
    "too_short": "is empty",
    "string_too_short": "is empty",
}
_WORDS = {
    "string_type": "is no text: put it in quotes",
    "path_type": "is no file name",
    "bool_type": "is neither yes nor no",
    "bool_parsing": "is neither yes nor no",
    "int_type": "is no whole number",
    "int_parsing": "is no whole number",
    "int_from_float": "is no whole number",
    "float_type": "is no number",
    "float_parsing": "is no number",
    "greater_than_equal": "is less than {ge:g}",
    "less_than_equal": "is more than {le:g}",
}

DEFAULT_FILE = Path("rasid.yaml")


def find(path: Path | None) -> Path | None:
    """The file to read: `path`, else rasid.yaml here if there is one. None: the defaults."""
    return path or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)


def load(path: Path | None, *, environment: Mapping[str, str] | None = None) -> Config:
    """The configuration of `path`; without one, rasid.yaml here if there is one, else defaults.

    Raises ConfigError with all problems, a line each.
    """
    found = find(path)
    tree = read_tree(found) if found else Tree("defaults", data={})
    config, problems = check(tree, environment)
    if config is None:
        raise ConfigError("\n".join(str(p) for p in problems))
    return config


def check(
    tree: Tree, environment: Mapping[str, str] | None = None
) -> tuple[Config | None, list[Problem]]:
    """Check a parsed file: the configuration, or None and every problem found."""
    if not isinstance(tree.data, dict):
        if not tree.problems:
            tree.problem((), "holds no keys; `rasid init` writes a file to start from")
        return None, tree.problems
    data: dict[str, Any] = tree.data
    secrecy = Secrecy()
    data = _substitute(tree, data, os.environ if environment is None else environment, (), secrecy)
    _read_secret_files(tree, data, secrecy)
    config: Config | None = None
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            _explain(tree, data, detail, secrecy)
    check_parts(tree, data)
    _check_names(tree, data, secrecy)
    tree.problems.sort(key=lambda p: p.line)
    if tree.problems or config is None:
        return None, tree.problems
    return config, []


class Secrecy:
    """What may be shown of a value when it is wrong: people paste secrets into wrong places."""

    def __init__(self) -> None:
        self.from_environment: set[Loc] = set()

    def hides(self, loc: Loc) -> bool:
        return loc in self.from_environment or any(
            part in _SECRET_KEYS or str(part).endswith("_file") for part in loc
        )

    def show(self, loc: Loc, value: object) -> str:
        """The value and a space, to begin a sentence with, or nothing."""
        is_plain = isinstance(value, (str, int, float))
        return f"{value!r} " if is_plain and not self.hides(loc) else ""

    def hint(self, loc: Loc, value: object, known: list[str]) -> str:
        """`did_you_mean`, unless it would tell of the value."""
        return "" if self.hides(loc) else did_you_mean(str(value), known)

    def path(self, loc: Loc, value: object) -> str:
        """A file's name if it can be nothing else: a secret may stand where its file's name
        should."""
        is_path = isinstance(value, str) and re.match(r"(?:/|\.{1,2}/|~/)[^/]", value)
        return str(value) if is_path and loc not in self.from_environment else "the file it names"

    def key(self, loc: Loc) -> Loc:
        """An unknown key's place; the place around it where the key itself may be a secret."""
        is_word = re.fullmatch(r"[a-z_]{1,30}", str(loc[-1]))
        return loc if is_word or loc[0] != "receivers" else loc[:-1]


def _substitute(
    tree: Tree, value: Any, environment: Mapping[str, str], loc: Loc, secrecy: Secrecy
) -> Any:
    if isinstance(value, dict):
        return {k: _substitute(tree, v, environment, (*loc, k), secrecy) for k, v in value.items()}
    if isinstance(value, list):
        return [_substitute(tree, v, environment, (*loc, i), secrecy) for i, v in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value

    def replace(match: re.Match[str]) -> str:
        secrecy.from_environment.add(loc)
        if match[1] not in environment:
            tree.problem(loc, f"the environment has no {match[1]}")
            return _UNSET
        return environment[match[1]]

    return _ENVIRONMENT.sub(replace, value)


def _read_secret_files(tree: Tree, data: dict[str, Any], secrecy: Secrecy) -> None:
    """Put what `…_file` keys name in the place of the secret itself."""
    kafka = data.get("kafka")
    if isinstance(kafka, dict):
        _read_secrets(tree, kafka, ("kafka",), [k for k in kafka if k == "password_file"], secrecy)
    receivers = data.get("receivers")
    for i, receiver in enumerate(receivers if isinstance(receivers, list) else []):
        for channel in ("slack", "email", "webhook", "push"):
            part = receiver.get(channel) if isinstance(receiver, dict) else None
            if not isinstance(part, dict):
                continue
            keys = [k for k in part if k.endswith("_file")]
            _read_secrets(tree, part, ("receivers", i, channel), keys, secrecy)


def _read_secrets(
    tree: Tree, part: dict[str, Any], at: Loc, keys: Iterable[str], secrecy: Secrecy
) -> None:
    for key in keys:
        loc: Loc = (*at, key)
        name = key.removesuffix("_file")
        if name in part:
            tree.problem(loc, f"stands beside {name}: one of them is enough")
            continue
        file = secrecy.path(loc, part[key])
        try:
            secret = Path(str(part[key])).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            tree.problem(loc, f"{file} cannot be read: {reason}")
            secret = _UNSET
        if not secret:
            tree.problem(loc, f"{file} is empty")
        part[name] = secret or _UNSET


def _explain(tree: Tree, data: Any, detail: Any, secrecy: Secrecy) -> None:
    """One pydantic error as a problem in Rasid's own words."""
    loc: Loc = _known(tuple(detail["loc"]), data)
    if detail.get("input") == _UNSET:
        return  # already told
    kind, message = detail["type"], str(detail["msg"])
    value = detail.get("input")
    if kind == "extra_forbidden":
        around = secrecy.key(loc)
        hint = secrecy.hint(around, loc[-1], _fields_at(loc[:-1])) if around == loc else ""
        tree.problem(around, "unknown key" + hint, line=tree.line(loc))
    elif kind == "missing":
        tree.problem(loc, "is missing")
    elif kind == "literal_error":
        expected = re.findall(r"'([^']*)'", message)
        hint = secrecy.hint(loc, value, expected).partition("; there are")[0]
        tree.problem(loc, f"{secrecy.show(loc, value)}is none of {', '.join(expected)}{hint}")
    elif kind == "value_error":
        tree.problem(loc, secrecy.show(loc, value) + message.removeprefix("Value error, "))
    elif kind in _SHAPES:
        tree.problem(loc, _SHAPES[kind])
    else:
        known = _WORDS.get(kind)
        words = known.format(**detail.get("ctx", {})) if known else f"is wrong: {message}"
        tree.problem(loc, secrecy.show(loc, value) + words)


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


def _check_names(tree: Tree, data: dict[str, Any], secrecy: Secrecy) -> None:
    """What one key says of another: read defensively, for the file may be wrong elsewhere."""
    if "log" in data:
        log = data["log"]
        try:
            open_log(log if isinstance(log, str) else "", clock=lambda: datetime.now(UTC))
        except ConfigError:  # its text shows the value, which may come from the environment
            tree.problem(
                ("log",),
                "is no address like sqlite:///var/lib/rasid/rasid.db or kafka://host:9092",
            )
    serve = data.get("serve", "none")
    if isinstance(serve, str) and serve != "none":
        try:
            serve_address(serve)
        except ValueError as error:
            tree.problem(("serve",), str(error))
    _check_catalogue(tree, data.get("catalogue", []), secrecy)
    own = _unique(tree, data, "sources", "id", secrecy)
    ids = [*load_catalogue(), *(name for name, place in own.items() if not secrecy.hides(place))]
    receivers = _unique(tree, data, "receivers", "name", secrecy)
    mute_times = _unique(tree, data, "mute_times", "name", secrecy)
    if not data.get("receivers"):
        receivers = {"here": ("receivers",)}  # the terminal, as it is called unless named

    def check_receiver(at: Loc, name: Any) -> None:
        if isinstance(name, str) and name not in receivers:
            known = [name for name, place in receivers.items() if not secrecy.hides(place)]
            shown = "has that name" if secrecy.hides(at) else f"is named {name!r}"
            tree.problem(at, f"no receiver {shown}{secrecy.hint(at, name, known)}")

    check_receiver(("operators",), data.get("operators"))
    route = data.get("route")
    if route is None and len(receivers) > 1:
        tree.problem(("receivers",), "there are several, and no `route` says who gets what")
    pending: list[tuple[Loc, Any]] = [(("route",), route)]
    while pending:
        loc, node = pending.pop()
        if not isinstance(node, dict):
            continue
        check_receiver((*loc, "receiver"), node.get("receiver"))
        named = node.get("mute")
        for i, mute in enumerate(named if isinstance(named, list) else []):
            if mute not in mute_times:
                spot: Loc = (*loc, "mute", i)
                known = [name for name, place in mute_times.items() if not secrecy.hides(place)]
                shown = "has that name" if secrecy.hides(spot) else f"is named {mute!r}"
                tree.problem(spot, f"no mute time {shown}{secrecy.hint(spot, str(mute), known)}")
        _check_match(
            tree,
            (*loc, "match"),
            node.get("match"),
            ids,
            secrecy,
            own_rules=bool(data.get("rules")),
        )
        children = node.get("routes")
        if isinstance(children, list):
            pending += [((*loc, "routes", i), child) for i, child in enumerate(children)]


def _check_catalogue(tree: Tree, names: Any, secrecy: Secrecy) -> None:
    """Each name by itself, so that each has its line; then, if all are good, together."""
    words = [str(name) for name in (names if isinstance(names, list) else [names])]

    def choose(loc: Loc, chosen: list[str]) -> bool:
        try:
            select(load_catalogue(), chosen)
        except ConfigError as error:
            why = str(error).removeprefix("catalogue: ")
            tree.problem(loc, "is no source or tag" if secrecy.hides(loc) else why)
            return False
        return True

    at = [
        ("catalogue", i) if isinstance(names, list) else ("catalogue",) for i in range(len(words))
    ]
    known = [choose(loc, [word]) for loc, word in zip(at, words, strict=True)]
    if all(known):
        choose(("catalogue",), words)


def _check_match(
    tree: Tree, loc: Loc, match: Any, ids: list[str], secrecy: Secrecy, *, own_rules: bool
) -> None:
    """`own_rules`: themes and developments may be of the user's own."""
    if not isinstance(match, dict):
        return
    for key, (known, pattern, what) in match_words(ids, own_rules=own_rules).items():
        values = match.get(key, [])
        for i, value in enumerate(values if isinstance(values, list) else [values]):
            fits = re.fullmatch(pattern, str(value)) if pattern else value in known
            if not fits:
                place = (*loc, key, i) if isinstance(values, list) else (*loc, key)
                hint = secrecy.hint(place, value, known)
                tree.problem(place, f"{secrecy.show(place, value)}is no {what}{hint}")


def match_words(ids: list[str], *, own_rules: bool) -> dict[str, tuple[list[str], str | None, str]]:
    """Which words a key of `match` may hold, or what they look like, and what they are. Other keys
    hold any. `ids` are those of sources."""
    developments = sorted({d for ds in DEVELOPMENTS.values() for d in ds})
    name = "[a-z][a-z0-9_]*" if own_rules else None
    return {
        "theme": (list(DEVELOPMENTS), name, "theme"),
        "development": (developments, name, "development"),
        "status": (list(get_args(Status)), None, "status"),
        "source": (ids, None, "source's id"),
        "country": ([], r"[A-Z]{2}", "ISO country code, as LY"),
        "language": ([], r"[a-z]{2,3}", "ISO language code, as ar"),
    }


def _unique(
    tree: Tree, data: dict[str, Any], key: str, field: str, secrecy: Secrecy
) -> dict[str, Loc]:
    """The names that the items of a list have, and where."""
    items = data.get(key)
    names: dict[str, Loc] = {}
    for i, item in enumerate(items if isinstance(items, list) else []):
        name = item.get(field) if isinstance(item, dict) else None
        if isinstance(name, str):
            loc: Loc = (key, i, field)
            if name in names:
                tree.problem(loc, f"{secrecy.show(loc, name)}stands here twice")
            names.setdefault(name, loc)
    return names
