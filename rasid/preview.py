"""`rasid alert preview`: messages in every channel's form, as files to look at."""

import io
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console

from alerts.mail import compose, mail_html, mail_text
from alerts.receivers import EmailOptions
from alerts.render import Manner, message
from alerts.slack import payload
from alerts.terminal import terminal_text
from alerts.webhook import body
from streams.records import Alert, Flag, Happened, Line, Quantity, State, StoryPart

MANNERS: Final[Mapping[str, Manner]] = {
    "ar": Manner(("ar",), "Africa/Tripoli"),
    "en": Manner(("en",), "Africa/Tripoli"),
    "both": Manner(("ar", "en"), "UTC"),
}
_OPTIONS: Final = EmailOptions("rasid@desk.example", ("editors@desk.example",), "localhost", 25)
_THEN: Final = datetime(2026, 3, 3, 4, 30, tzinfo=UTC)


def write_preview(alerts: Mapping[str, Alert], folder: Path) -> list[Path]:
    """Each of `alerts` by its name, in each language; the paths written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, alert in alerts.items():
        for language, manner in MANNERS.items():
            for ending, text in _forms(alert, manner):
                path = folder / f"{name}.{language}.{ending}"
                path.write_text(text, encoding="utf-8", newline="\n")
                written.append(path)
    return written


def _forms(alert: Alert, manner: Manner) -> Iterator[tuple[str, str]]:
    shown = message(alert, manner)
    yield "html", mail_html(shown)
    yield "txt", mail_text(shown)
    yield "eml", compose(alert, "editors", _OPTIONS, manner).as_string()
    yield "slack.json", _json(payload(shown))
    yield "webhook.json", _json(msgspec.to_builtins(body(alert, manner)))
    out = io.StringIO()
    Console(file=out, width=120, highlight=False, markup=False, emoji=False, soft_wrap=True).print(
        terminal_text(shown)
    )
    yield "terminal.txt", out.getvalue()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def samples() -> dict[str, Alert]:
    """An invented story as it opens, changes, is confirmed and corrected, and a digest."""
    attacked, halted = _state("attacked", 0), _state("halted", 150)
    return {
        "opened": _alert("opened", (attacked,), 1),
        "changed": _alert("changed", (attacked, halted), 1, thread=True),
        "confirmed": _alert("confirmed", (attacked, halted), 2, thread=True),
        "corrected": _alert("corrected", (attacked,), 2, struck=(halted,), thread=True),
        "digest": _digest((attacked, halted)),
    }


def _alert(
    kind: Any,
    states: tuple[State, ...],
    independent: int,
    *,
    struck: tuple[State, ...] = (),
    thread: bool = False,
) -> Alert:
    part = StoryPart(
        story_id="9f2c4b7d10aa45c1b3e05d77c1f0e6aa",
        kind=kind,
        headline="طائرة مسيّرة تقصف حقل الشرارة النفطي",
        states=states,
        struck=struck,
        outlets=("بوابة الوسط", "المرصد", "Libya Herald"),
        independent=independent,
        copies=1,
    )
    opened = "5be1c0de00000000000000000000aaaa"
    return Alert(
        id=opened if kind == "opened" else f"5be1c0de{kind.encode().hex():0<24.24}",
        receiver="editors",
        kind=kind,
        story_id=part.story_id,
        article_id="a1",
        url="https://news.example/2026/03/sharara?from=home&lang=ar",
        title="طائرة مسيّرة تقصف حقل الشرارة النفطي (Sharara) وتوقف ضخ 240 ألف برميل",
        source="al-marsad-libya",
        source_name="المرصد",
        language="ar",
        published=_THEN,
        seen=_THEN + timedelta(minutes=3),
        created=_THEN + timedelta(minutes=4),
        flags=_flags(),
        stories=(part,),
        thread=opened if thread else None,
        route="route.routes[0]",
    )


def _flags() -> tuple[Flag, ...]:
    return (
        Flag(
            theme="oil_field",
            development="attacked",
            score=0.94,
            rule="oil-attacked",
            spans=(),
            quote="قصفت طائرة مسيّرة مجهولة، فجر الثلاثاء، حقل الشرارة النفطي جنوب غرب ليبيا.",
            speaker="مهندس في الحقل",
            countries=("LY",),
            places=("الشرارة",),
            happened=Happened(day=_THEN.date(), part="dawn", text="فجر الثلاثاء"),
        ),
        Flag(
            theme="oil_field",
            development="halted",
            score=0.9,
            rule="oil-halted",
            status="reported",
            spans=(),
            quote="وقدّر المسؤول الكمية المتوقفة بنحو 240 ألف برميل يومياً.",
            speaker="مسؤول في المؤسسة الوطنية للنفط",
            countries=("LY",),
            places=("الشرارة", "أوباري"),
            quantities=(
                Quantity(
                    value=240_000, unit="barrels_per_day", of="oil", text="240 ألف برميل يومياً"
                ),
            ),
        ),
    )


def _digest(states: tuple[State, ...]) -> Alert:
    lines = (
        Line(
            alert_id="5be1c0de00000000000000000000aaaa",
            story_id="9f2c4b7d10aa45c1b3e05d77c1f0e6aa",
            title="طائرة مسيّرة تقصف حقل الشرارة النفطي",
            url="https://news.example/2026/03/sharara",
            source_name="المرصد",
            published=_THEN,
            states=states,
            why="muted",
            also=("77aa10de00000000000000000000cccc",),
            outlets=5,
            independent=2,
            copies=3,
            countries=("LY",),
        ),
        Line(
            alert_id="77aa10de00000000000000000000bbbb",
            story_id="1c2c4b7d10aa45c1b3e05d77c1f0e6bb",
            title="Truce in Sebha holds for a third day",
            url="https://herald.example/sebha",
            source_name="Libya Herald",
            published=_THEN,
            states=(
                State(theme="ceasefire", development="in_force", since=_THEN, article_id="a2"),
            ),
            why="expired",
            countries=("LY",),
        ),
    )
    return Alert(
        id="d16e57000000000000000000000000aa",
        receiver="editors",
        kind="digest",
        story_id="",
        article_id="",
        url="",
        title="",
        source="rasid",
        source_name="Rasid",
        language="ar",
        seen=_THEN,
        created=_THEN + timedelta(hours=4),
        flags=(),
        lines=lines,
    )


def _state(development: str, minutes: int) -> State:
    since = _THEN + timedelta(minutes=minutes)
    return State(theme="oil_field", development=development, since=since, article_id="a1")
