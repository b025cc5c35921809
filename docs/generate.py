"""Writes the references in docs/ from the code: run `uv run python docs/generate.py` after a
change of configuration keys, metrics or commands. A test fails when they have drifted.
"""

import json
import re
import types
from datetime import time
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import click
import typer
from prometheus_client import CollectorRegistry, Metric
from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from processors.schema import json_schema
from rasid.app import App
from rasid.cli import app
from rasid.config import Config, parse_duration, parse_limit

HERE = Path(__file__).parent


def configuration() -> str:
    """docs/configuration.md's reference: a table a part."""
    sections: list[str] = []
    pending: list[tuple[str, type[BaseModel]]] = [("", Config)]
    seen: set[type[BaseModel]] = set()
    while pending:
        path, model = pending.pop(0)
        if model in seen:
            continue
        seen.add(model)
        rows = []
        for name, info in model.model_fields.items():
            key = info.alias or name
            inner, many = _part_in(info.annotation)
            full = f"{path}.{key}".lstrip(".") + ("[]" if many else "")
            if inner is not None:
                pending.append((full, inner))
            default = _default(info, inner)
            rows.append(
                f"| `{key}` | {_kind(info.annotation, inner, many, info)} | {default} "
                f"| {(info.description or '').replace('|', chr(92) + '|')} |"
            )
        if rows:
            doc = "" if model is Config else _first_line(model)
            title = f"`{path}`" if path else "Top level"
            head = (
                f"### {title}\n\n"
                + (f"{doc}\n\n" if doc else "")
                + "| key | value | default | meaning |\n|---|---|---|---|\n"
            )
            sections.append(head + "\n".join(rows))
    return "\n\n".join(sections)


def metrics() -> str:
    """docs/metrics.md's reference: every metric of a running daemon."""
    registry = App(Config(serve="none")).registry
    rows = []
    for family in sorted(registry.collect(), key=lambda f: f.name):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = ", ".join(f"`{n}`" for n in _labels(registry, family))
        rows.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    return "| name | type | labels | meaning |\n|---|---|---|---|\n" + "\n".join(rows)


def commands() -> str:
    """docs/commands.md's reference: the help of every command."""
    root = typer.main.get_command(app)
    return "\n\n".join(_help(root, click.Context(root, info_name="rasid")))


def _help(command: Any, context: click.Context) -> list[str]:
    if hasattr(command, "commands"):
        own = []
        if command.invoke_without_command and context.parent is not None:
            text = (command.help or "").split("\n\n")[0].replace("\n", " ")
            own = [f"### `{context.command_path} [OPTIONS]`\n\n{text}"]
        return own + [
            part
            for name, child in command.commands.items()
            for part in _help(child, click.Context(child, parent=context, info_name=name))
        ]
    usage = " ".join(command.collect_usage_pieces(context))
    text = re.sub(r"\s*\n\s*", " ", (command.help or "").replace("\n\n", "\0"))
    rows = [
        f"| `{', '.join(p.opts + p.secondary_opts) or p.name}` | {p.help or ''} |"
        for p in command.params
        if getattr(p, "help", None)
    ]
    table = "\n\n| option | meaning |\n|---|---|\n" + "\n".join(rows) if rows else ""
    return [f"### `{context.command_path} {usage}`\n\n" + text.replace("\0", "\n\n") + table]


def _labels(registry: CollectorRegistry, family: Metric) -> tuple[str, ...]:
    for collector, names in registry._collector_to_names.items():
        if family.name in names:  # of a collector of our own the family knows them
            return tuple(getattr(family, "_labelnames", getattr(collector, "_labelnames", ())))
    return ()


def _part_in(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    many = get_origin(annotation) is list
    for inner in get_args(annotation):
        found, deeper = _part_in(inner)
        if found is not None:
            return found, many or deeper
    return None, False


def _kind(annotation: Any, inner: Any, many: bool, info: Any) -> str:
    if inner is not None:
        return "list of mappings" if many else "mapping"
    if any(getattr(m, "func", None) is parse_duration for m in info.metadata):
        return "duration"
    if any(getattr(m, "func", None) is parse_limit for m in info.metadata):
        return "limit"
    if get_origin(annotation) is Literal:
        return " \\| ".join(f"`{v}`" for v in get_args(annotation))
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [a for a in get_args(annotation) if a is not type(None)]
        return " or ".join(_kind(k, None, False, info) for k in kinds)
    if get_origin(annotation) is list:
        return "list"
    if get_origin(annotation) is not None:  # Annotated
        first, *metadata = get_args(annotation)
        if any(getattr(m, "func", None) is parse_duration for m in metadata):
            return "duration"
        if any(getattr(m, "func", None) is parse_limit for m in metadata):
            return "limit"
        return _kind(first, None, False, info)
    if annotation is SecretStr:
        return "text, secret"
    return {
        str: "text",
        int: "number",
        float: "number",
        bool: "yes or no",
        Path: "file",
        time: "time of day",
    }[annotation]


def _default(info: Any, inner: Any) -> str:
    value = info.default
    if value is PydanticUndefined:
        return "required"
    if value is None or value == "" or inner is not None:
        return "–"
    if isinstance(value, float) and any(
        getattr(m, "func", None) is parse_duration for m in info.metadata
    ):
        return f"`{_duration(value)}`"
    if isinstance(value, tuple):
        return f"`{value[0]}/{_duration(value[1])}`"
    if isinstance(value, time):
        return f"`{value:%H:%M}`"
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    return f"`{value}`" if value != [] else "`[]`"


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0 and (unit != "d" or seconds > 86400):
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def _first_line(model: type[BaseModel]) -> str:
    lines = (model.__doc__ or "").strip().splitlines()
    return lines[0] if lines else ""


def rules_schema() -> str:
    """docs/rules.schema.json, whole."""
    return json.dumps(json_schema(), ensure_ascii=False, indent=2) + "\n"


REFERENCES = {"configuration.md": configuration, "metrics.md": metrics, "commands.md": commands}
WHOLE = {"rules.schema.json": rules_schema}  # files with nothing written by hand
_BEGIN, _END = "<!-- generated: docs/generate.py -->\n", "\n<!-- end -->"


def render(name: str) -> str:
    """The whole page, with its generated part as it should be now."""
    if name in WHOLE:
        return WHOLE[name]()
    page = (HERE / name).read_text(encoding="utf-8")
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return before + _BEGIN + REFERENCES[name]() + _END + after


if __name__ == "__main__":
    for name in (*REFERENCES, *WHOLE):
        (HERE / name).write_text(render(name), encoding="utf-8")
        print(f"docs/{name}")  # noqa: T201
