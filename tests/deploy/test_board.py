"""The board: as its script writes it, and each query on what a real Prometheus saw of a real
daemon (tests/fakes/watched.py) returns what happened there, by the daemon's own log."""

import importlib.util
import json
import math
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from streams.records import (
    CANARY,
    DEADLETTERS,
    DELIVERIES,
    ENTRIES,
    FEEDS,
    FLAGS,
    Delivery,
    Entry,
    FeedState,
    Report,
    decode,
)
from tests.deploy.conftest import Scene

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "deploy" / "grafana"
BOARD = json.loads((GRAFANA / "rasid.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]

Labels = tuple[str, ...]


@dataclass
class Facts:
    """What happened, read from the log."""

    themes: Counter[Labels] = field(default_factory=Counter)
    developments: Counter[Labels] = field(default_factory=Counter)
    countries: Counter[Labels] = field(default_factory=Counter)
    rules: Counter[Labels] = field(default_factory=Counter)
    reasons: set[Labels] = field(default_factory=set)
    feeds: list[FeedState] = field(default_factory=list)
    sent_to: set[Labels] = field(default_factory=set)
    waiting: set[Labels] = field(default_factory=set)


@pytest.fixture(scope="session")
def facts(scene: Scene) -> Facts:
    found = Facts()
    for message in scene.log.read(FLAGS):
        report = decode(Report, message.value)
        if report.source == CANARY:  # it flies, and is in no figure of the news
            continue
        for flag in report.flags:
            found.themes[(flag.theme,)] += 1
            found.developments[flag.theme, flag.development] += 1
            found.rules[(flag.rule,)] += 1
            for country in flag.countries or ("none",):
                found.countries[(country,)] += 1
    for message in scene.log.read(ENTRIES):
        entry = decode(Entry, message.value)
        if entry.reason:
            found.reasons.add((entry.reason,))
    known = (decode(FeedState, message.value) for message in scene.log.read(FEEDS))
    found.feeds = [state for state in known if state.source != CANARY]
    for message in scene.log.read(DELIVERIES):
        delivery = decode(Delivery, message.value)
        to = found.waiting if delivery.status == "pending" else found.sent_to
        to.add((delivery.alert.receiver,))
    assert len(list(scene.log.read(DEADLETTERS))) == 1
    return found


@dataclass
class Answer:
    """Of one query: the highest value of each series, by its labels in the order asked."""

    series: list[dict[str, Any]]

    def by(self, *names: str) -> dict[Labels, float]:
        found: dict[Labels, float] = {}
        for one in self.series:
            values = [one["value"]] if "value" in one else one["values"]
            numbers = [n for n in (float(v) for _, v in values) if not math.isnan(n)]
            found[tuple(one["metric"].get(name, "") for name in names)] = max(numbers, default=0.0)
        return found

    def above_zero(self, *names: str) -> set[Labels]:
        return {labels for labels, value in self.by(*names).items() if value > 0}

    def rounded(self, *names: str) -> dict[Labels, int]:
        return {labels: round(value) for labels, value in self.by(*names).items()}

    @property
    def number(self) -> float:
        """Of the only series."""
        (value,) = self.by().values()
        return value


def top(counter: Counter[Labels]) -> list[int]:
    return [count for _, count in counter.most_common(12)]


def ranked(answer: Answer, counter: Counter[Labels], *names: str) -> bool:
    """Whether these are its twelve highest; of equals any."""
    found = answer.rounded(*names)
    return sorted(found.values(), reverse=True) == top(counter) and all(
        counter[labels] == count for labels, count in found.items()
    )


def stages(*names: str) -> set[Labels]:
    return {(name,) for name in names}


ALL = stages("collect", "process", "alert")
DEMO = {
    ("baydar-ghazza",), ("daw-alqamariya",), ("miraat-alawasim",), ("suha",), ("tadrart-tv",),
    ("waraq-assummaq",),
}  # fmt: skip
RECEIVERS = {("here",), ("desk",), ("editors",), ("nobody",), (CANARY,)}
TORN, QUIET = ("akhbar-mubtura",), ("quiet",)
PAGE = ("bawaba-muntaqila",)  # a web page in a feed's place: never well, told since first asked

# Panel → for each of its queries, what its answer must be.
Check = Callable[[Answer, Facts], bool]
EXPECTED: dict[str, list[Check]] = {
    "Stages at work": [lambda a, f: a.number == 3],
    "Sources blind": [lambda a, f: a.number == 1],  # quiet
    "Newest entry": [lambda a, f: 0 < a.number < 86400],
    "Seen → sent, 95 of 100 within": [lambda a, f: 0 < a.number < 60],
    "Oldest message that waits": [lambda a, f: 1 < a.number < 120],
    "Alert rules firing": [lambda a, f: a.number >= 1],  # dead letters; on a slow machine more
    "Flags by theme": [lambda a, f: a.above_zero("theme") == set(f.themes)],
    "Flags by country": [lambda a, f: a.above_zero("country") == set(f.countries)],
    "Flags by development": [
        lambda a, f: a.above_zero("theme", "development") == set(f.developments)
    ],
    "Developments": [lambda a, f: ranked(a, f.developments, "theme", "development")],
    "Countries": [lambda a, f: ranked(a, f.countries, "country")],
    "Rules that fired": [lambda a, f: ranked(a, f.rules, "rule")],
    "Reports by decision": [
        lambda a, f: {("opened",), ("changed",), ("too_old",)} <= a.above_zero("decision")
    ],
    "Feeds": [
        lambda a, f: (
            a.by("state")[("well",)] == len([s for s in f.feeds if s.well])
            and a.by("state")[("failing",)] == 1
        )
    ],
    "Polls by outcome": [
        lambda a, f: (
            {("entries",), ("no_entries",), ("html_instead",)}
            <= a.above_zero("outcome")
            <= {("entries",), ("no_entries",), ("html_instead",), ("refused",)}
        )
    ],
    "Entries": [lambda a, f: a.above_zero("kind") == {("new",)}],
    "Entries waiting": [lambda a, f: a.number >= 0],
    "Sources, the longest silent first": [
        lambda a, f: (
            set(a.by("source")) == DEMO | {QUIET, TORN, PAGE}
            and max(a.by("source"), key=lambda s: a.by("source")[s]) == QUIET
        ),
        lambda a, f: a.by("source")[QUIET] == 3600 and set(a.by("source")) == DEMO | {QUIET},
        lambda a, f: set(a.by("source")) == DEMO | {QUIET, TORN, PAGE},
        lambda a, f: a.by("source")[TORN] == 120,
    ],
    "Failed polls by source": [lambda a, f: a.by("source", "reason")[*PAGE, "html_instead"] >= 1],
    "Pages by outcome": [lambda a, f: a.above_zero("outcome") == {("article",), ("entry_text",)}],
    "Page failures by reason": [lambda a, f: a.above_zero("reason") == f.reasons],
    "Records in": [lambda a, f: a.above_zero("stage") == ALL],
    "Records out": [lambda a, f: a.above_zero("stage") == ALL],
    "Failed, retried, dead": [
        lambda a, f: a.above_zero("stage") == stages("collect", "process"),
        lambda a, f: a.above_zero("stage") == set() and set(a.by("stage")) == ALL,
        lambda a, f: a.above_zero("stage") == stages("process"),
    ],
    "Lag": [
        lambda a, f: set(a.by("stage")) == stages("process", "alert"),
        lambda a, f: set(a.by("stage")) == stages("process"),
    ],
    "Time for a batch, 95 of 100 within": [lambda a, f: a.above_zero("stage") == ALL],
    "Since a stage last came round": [
        lambda a, f: set(a.by("stage")) == ALL and all(v < 30 for v in a.by("stage").values())
    ],
    "Messages by receiver": [
        lambda a, f: (
            {(r,) for r, outcome in a.above_zero("receiver", "outcome") if outcome == "sent"}
            == f.sent_to
            and ("nobody", "retried") in a.above_zero("receiver", "outcome")
        )
    ],
    "Pending": [
        lambda a, f: set(a.by("receiver")) == RECEIVERS and a.by("receiver")["nobody",] > 0
    ],
    "Oldest that waits": [
        lambda a, f: set(a.by("receiver")) == RECEIVERS and a.by("receiver")["nobody",] > 1
    ],
    "Seen → sent": [lambda a, f: 0 < a.number < 60] * 3,
    "The canary's road": [lambda a, f: 0 < a.number < 60, lambda a, f: 0 < a.number < 60],
    "Held": [lambda a, f: a.above_zero("reason") == set() and ("silenced",) in a.by("reason")],
    "CPU": [lambda a, f: 0 < a.number < 4],
    "Memory": [lambda a, f: 5e7 < a.number < 5e8],
    "Log and disk": [lambda a, f: 1e5 < a.number < 1e9, lambda a, f: a.number > 1e6],
    "Open files": [lambda a, f: 5 < a.number < 500, lambda a, f: a.number >= 1024],
    "Time since start": [lambda a, f: list(a.by("version")) == [("0.1.0",)] and a.number > 1],
}


def queries() -> Iterable[Any]:
    for panel in PANELS:
        for number, target in enumerate(panel["targets"]):
            yield pytest.param(panel, number, id=f"{panel['title']} {target['refId']}")


@pytest.mark.external
@pytest.mark.parametrize(("panel", "number"), list(queries()))
def test_a_query_returns_what_happened(
    panel: dict[str, Any], number: int, scene: Scene, facts: Facts
) -> None:
    target = panel["targets"][number]
    ask = scene.prometheus.instant if target.get("instant") else scene.prometheus.range
    answer = Answer(ask(target["expr"]))
    assert answer.series, "an empty panel"
    assert EXPECTED[panel["title"]][number](answer, facts), answer.series


def test_every_query_has_its_expectation() -> None:
    assert {p["title"]: len(p["targets"]) for p in PANELS} == {
        t: len(c) for t, c in EXPECTED.items()
    }


def test_the_file_is_what_the_script_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(GRAFANA)  # as where a script is run, whose neighbour it imports
    spec = importlib.util.spec_from_file_location("board", GRAFANA / "board.py")
    assert spec is not None
    assert spec.loader is not None
    board = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(board)
    assert (GRAFANA / "rasid.json").read_text(encoding="utf-8") == board.render(), (
        "run: uv run python deploy/grafana/board.py"
    )


def test_panels_do_not_overlap_and_fill_the_width() -> None:
    cells: Counter[tuple[int, int]] = Counter()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells.update(
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        )
    assert set(cells.values()) == {1}


def test_links_lead_to_runbooks_that_there_are() -> None:
    text = (GRAFANA / "rasid.json").read_text(encoding="utf-8")
    named = set(re.findall(r"/runbooks/([a-z-]+)", text))
    assert named
    assert named <= {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")}


@pytest.mark.external
def test_a_restart_and_reloads_are_marked(scene: Scene) -> None:
    marks = {a["name"]: scene.prometheus.range(a["expr"]) for a in BOARD["annotations"]["list"]}
    assert len(marks["Restart"]) == 1
    assert {s["metric"]["outcome"] for s in marks["Reload"]} == {"done", "refused"}


@pytest.mark.external
def test_the_variables_have_values(scene: Scene) -> None:
    for variable in BOARD["templating"]["list"]:
        if variable["type"] == "query":
            series, label = re.fullmatch(
                r"label_values\((\w+), (\w+)\)", variable["query"]
            ).groups()  # type: ignore[union-attr]
            values = {s["metric"][label] for s in scene.prometheus.instant(series)}
            assert len(values) > 2, variable["name"]


@pytest.mark.external
def test_the_outage_is_in_the_alert_rules(scene: Scene) -> None:
    found = [s["metric"] for s in scene.prometheus.range("ALERTS")]
    raised = {
        (m["alertname"], m.get("stage") or m.get("receiver") or m.get("source", "")) for m in found
    }
    assert {
        ("RasidDeadLetters", "process"),
        ("RasidDeliveriesFailing", "nobody"),
        ("RasidSourceSilent", "quiet"),
    } <= raised
    assert "RasidDeadLetters" in {m["alertname"] for m in found if m["alertstate"] == "firing"}
    quiet = {"RasidNoNewArticles", "RasidLag", "RasidSlow", "RasidExtractionFallingBack"}
    assert not quiet & {name for name, _ in raised}


@pytest.mark.external
def test_promtool_has_nothing_against_a_scrape_of_the_daemon(promtool: str, scene: Scene) -> None:
    done = subprocess.run(
        [promtool, "check", "metrics"],
        input=scene.prometheus.scrape,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
