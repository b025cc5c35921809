"""`rasid rules`: test the rules, measure them, see which do nothing."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from rasid.cli.common import ConfigOption, JsonOption, fail, load_config, print_json

if TYPE_CHECKING:
    from processors.evaluate import Labelled, Result
    from processors.flagger import Document, Flagger

app = typer.Typer(no_args_is_help=True, help="Test rules, measure them, and see what they miss.")

WIDE = 140  # columns, also where the terminal or a pipe says fewer: tables stay whole

Files = Annotated[list[Path], typer.Argument(metavar="FILE…", help="JSON lines with `text`.")]


def _flagger(config: Path | None, *, check: bool = True) -> "Flagger":
    from processors.flagger import load_flagger

    return load_flagger(load_config(config).rules, check_examples=check)


@app.command("test")
def run_examples(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Run every rule's examples, bundled and your own. Exit code 1 when one does not hold."""
    flagger = _flagger(config, check=False)
    rows: dict[str, list[int]] = {}
    wrong = []
    for rule, text, due, fired in flagger.examples():
        row = rows.setdefault(rule.id, [0, 0])
        row[0 if due else 1] += 1
        if due != fired:
            verb = "does not fire on" if due else "fires on"
            place = f"{text.file}:{text.line}:{text.column}"
            wrong.append(f"{place}: {rule.id} {verb} «{text}»")
    rules = [rule for book in flagger.books.values() for t in book.themes for rule in t.rules]
    if as_json:
        print_json({"rules": len(rules), "examples": rows, "wrong": wrong})
    else:
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, padding=(0, 2, 0, 0))
        for column in ("rule", "development", "status", "fire", "quiet", "what"):
            table.add_column(column, no_wrap=True)
        for rule in rules:
            fire, quiet = rows.get(rule.id, (0, 0))
            table.add_row(rule.id, rule.development, rule.status, str(fire), str(quiet), rule.title)
        console = Console(width=max(Console().width, WIDE))
        console.print(table)
        examples = sum(fire + quiet for fire, quiet in rows.values())
        console.print(f"\n{len(rules)} rules, {examples} examples, {len(wrong)} that do not hold.")
    if wrong:
        fail("\n".join(wrong))


@app.command("eval")
def evaluate_rules(
    files: Files,
    save: Annotated[
        Path | None, typer.Option(help="Keep the outcome, to compare a later run with.")
    ] = None,
    compare: Annotated[Path | None, typer.Option(help="A kept outcome to compare with.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score the rules on labelled articles: JSON lines with `text`, `title` if known, and
    `labels`, a list of {"theme", "level": "dev" or "mention", "developments"}.

    A theme that is `mention` counts neither way. Misses (-) and false alarms (+) are listed;
    with --compare also every article that changed since the run kept by --save.
    """
    from processors.evaluate import changes, evaluate

    flagger = _flagger(config)
    themes = dict.fromkeys(t.name for book in flagger.books.values() for t in book.themes)
    titles: dict[str, str] = {}

    def flagged() -> Iterator[tuple[str, "Labelled", object]]:
        for name, article in _labelled(files):
            document = _document(article)
            titles[name] = (document.title or document.text).strip().partition("\n")[0][:90]
            yield name, article, flagger.flag(document)

    result = evaluate(flagged(), themes)  # type: ignore[arg-type]
    before = None
    if compare is not None:
        try:
            before = json.loads(compare.read_bytes())
        except (OSError, ValueError) as error:
            fail(f"{compare} cannot be read: {error}")
    changed = changes(before, result.outcomes) if before is not None else []
    if as_json:
        print_json(_plain(result, changed))
    else:
        _show(result, titles, changed, compared=before is not None)
    if save is not None:
        save.write_text(json.dumps(result.outcomes, ensure_ascii=False), encoding="utf-8")


@app.command()
def coverage(
    files: Files,
    most: Annotated[int, typer.Option(help="How many nearly-fired to list.")] = 15,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which rules fire on a corpus and how often, which never do, and what most often kept
    one from firing. Reads JSON lines with `text`."""
    from rich.console import Console
    from rich.progress import track

    from processors.explain import explain

    flagger = _flagger(config)
    fired: Counter[str] = Counter()
    near: Counter[tuple[str, str]] = Counter()
    texts = [article for _, article in _labelled(files)]
    errors = Console(stderr=True)
    for article in track(texts, "articles", console=errors, disable=not errors.is_terminal):
        explanation = explain(flagger, _document(article))
        fired.update({item.rule.id for item in explanation.fired})
        near.update(
            {
                (item.rule.id, item.lacks)
                for item in explanation.near
                # one word of two is near to nothing
                if len(item.rule.items) > 2 or not item.lacks.startswith("no ")
            }
        )
    rules = dict.fromkeys(r.id for b in flagger.books.values() for t in b.themes for r in t.rules)
    never = [rule for rule in rules if rule not in fired]
    if as_json:
        print_json(
            {
                "articles": len(texts),
                "fired": dict(fired.most_common()),
                "never": never,
                "near": [
                    {"rule": rule, "lacks": lacks, "articles": count}
                    for (rule, lacks), count in near.most_common(most)
                ],
            }
        )
        return
    typer.echo(f"{len(texts)} articles\n\nfired, in articles")
    for rule, count in fired.most_common():
        typer.echo(f"  {count:6d}  {rule}")
    typer.echo("\nnever fired\n" + "".join(f"          {rule}\n" for rule in never))
    typer.echo("nearly fired, most often")
    for (rule, lacks), count in near.most_common(most):
        typer.echo(f"  {count:6d}  {rule}: {lacks}")


@app.command()
def schema() -> None:
    """The JSON Schema of rule files, for editors."""
    from processors.schema import json_schema

    print_json(json_schema())


def _labelled(files: Iterable[Path]) -> Iterator[tuple[str, "Labelled"]]:
    """Articles with the name each goes by. Ends the program at a line that is none."""
    from processors.evaluate import Labelled

    decoder = msgspec.json.Decoder(Labelled)
    several = len(list(files)) > 1
    for path in files:
        try:
            lines = path.read_bytes().splitlines()
        except OSError as error:
            fail(f"{path} cannot be read: {error.strerror}")
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                article = decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                fail(f"{path}:{number}: {error}")
            own = article.id if article.id is not None else article.n
            name = str(own if own is not None else number)
            yield (f"{path.name}:{name}" if several else name), article


def _document(article: "Labelled") -> "Document":
    from processors.flagger import Document
    from rasid.cli.flag import split_headline

    title, text = article.title, article.text
    if title is None:
        title, text = split_headline(text)
    return Document(title, text, article.language)


def _plain(result: "Result", changed: list[tuple[str, str, list[str], list[str]]]) -> object:
    def scores(of: object) -> object:
        return {
            theme: {"precision": s.precision, "recall": s.recall, "f1": s.f1,
                    "right": s.right, "false": s.false, "missed": s.missed}
            for theme, s in of.items()  # type: ignore[attr-defined]
        }  # fmt: skip

    return {
        "themes": scores(result.themes),
        "developments": scores(result.developments),
        "missed": result.missed,
        "false": result.false,
        "changed": [
            {"article": name, "theme": theme, "before": before, "now": now}
            for name, theme, before, now in changed
        ],
    }


def _show(
    result: "Result",
    titles: dict[str, str],
    changed: list[tuple[str, str, list[str], list[str]]],
    *,
    compared: bool,
) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=max(Console().width, WIDE), highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("theme", "P", "R", "F1", "right", "false", "missed",
                   "developments P", "R", "F1"):  # fmt: skip
        table.add_column(column, justify="left" if column == "theme" else "right")
    for theme, score in result.themes.items():
        types = result.developments[theme]
        table.add_row(
            theme, f"{score.precision:.3f}", f"{score.recall:.3f}", f"{score.f1:.3f}",
            str(score.right), str(score.false), str(score.missed),
            f"{types.precision:.3f}", f"{types.recall:.3f}", f"{types.f1:.3f}",
        )  # fmt: skip
    console.print(table)
    for mark, pairs in (("-", result.missed), ("+", result.false)):
        for name, theme in pairs:
            console.print(f"{mark} {name}  {theme}  {titles[name]}", markup=False)
    if compared:
        console.print(f"\n{len(changed)} changed since the run compared with")
        for name, theme, before, now in changed:
            told = f"{', '.join(before) or 'nothing'} → {', '.join(now) or 'nothing'}"
            console.print(f"  {name}  {theme}  {told}  {titles.get(name, '')}", markup=False)
