"""How an explanation looks (`rasid flag --explain`)."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rasid.cli.shown import shown

if TYPE_CHECKING:
    from processors.explain import Explanation


def plain(explanation: "Explanation") -> dict[str, Any]:
    """For programs."""
    return {
        "flags": [msgspec.to_builtins(flag) for flag in explanation.flags],
        "words": [asdict(word) for word in explanation.words],
        "fired": [
            {
                "rule": item.rule.id,
                "development": item.development,
                "status": item.status,
                "score": item.score,
                "counts": item.counts,
                "pieces": [{"is": name, "written": written} for name, written in item.pieces],
                "quote": item.quote,
            }
            for item in explanation.fired
        ],
        "near": [
            {"rule": near.rule.id, "lacks": near.lacks, "quote": near.quote}
            for near in explanation.near
        ],
    }


def show_explanation(explanation: "Explanation") -> None:
    """Words, rules that fired, rules that nearly did."""
    console = Console(highlight=False, soft_wrap=True)
    words = Table(title="words", title_justify="left", box=None, padding=(0, 2))
    for column in ("written", "read as", "is", "country"):
        words.add_column(column, no_wrap=column != "is")  # what it is may be long
    concepts: dict[tuple[str, str, str], list[str]] = {}
    for word in explanation.words:
        key = (word.written, " ".join(word.read_as), word.country)
        concepts.setdefault(key, []).extend(word.concepts)
    for (written, read_as, country), names in concepts.items():
        words.add_row(shown(written), shown(read_as), ", ".join(dict.fromkeys(names)), country)
    console.print()
    console.print(words)
    console.print(Text("\nrules that fired", style="italic"))
    for item in explanation.fired:
        line = Text(f"  {item.rule.id}", style="bold")
        line.append(f"  {item.development}, {item.status}, {item.score:.2f}", "none")
        line.append("" if item.counts else "  too weak alone", "dim")
        if item.rule.status == "test":
            line.append("  (a rule under test)", "dim")
        console.print(line)
        for name, written in item.pieces:
            line = Text(f"      {name}: ", style="dim")
            console.print(line.append_text(shown(written, "none")))
    console.print(Text("\nrules that nearly fired", style="italic"))
    lacking: dict[tuple[str, str, str], list[str]] = {}
    for near in explanation.near:
        name = near.rule.id.rpartition(".")[2]
        lacking.setdefault((near.quote, near.rule.theme, near.lacks), []).append(name)
    quote_before = None
    for (quote, theme, lacks), rules in lacking.items():
        if quote != quote_before:
            console.print(Text("  ").append_text(shown(quote)))
            quote_before = quote
        console.print(
            Text(f"      {theme}.{', '.join(rules)}: ", style="dim").append(lacks, "none")
        )
