"""The commands that tell what is known of stories and messages, and why."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest
from typer.testing import CliRunner, Result

from alerts.holding import Gate, Limit, Wishes
from alerts.receivers import Receiver, SlackOptions
from alerts.routing import Match, Route
from alerts.silences import SilenceReader
from rasid.atom import atom
from rasid.cli import app
from streams.records import ARTICLES, Article, Happened, encode
from streams.sqlite import SqliteLog
from tests.fakes.alerts_bench import Bench, make_flag, make_report, utc_now
from tests.fakes.slack_server import Answer, SlackServer

CONFIG = """\
log: sqlite://{log}
receivers:
  - name: desk
    slack: {{webhook_url: "{webhook}"}}
  - name: editors
    terminal: {{}}
route:
  receiver: desk
  routes:
    - receiver: editors
      match:
        country: SY
"""


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with SlackServer() as server:
        yield server


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(SqliteLog(tmp_path / "rasid.db", clock=utc_now))
    yield bench
    bench.close()


@pytest.fixture
def config(tmp_path: Path, slack: SlackServer) -> Path:
    path = tmp_path / "rasid.yaml"
    path.write_text(CONFIG.format(log=tmp_path / "rasid.db", webhook=slack.webhook_url), "utf-8")
    return path


def tell(bench: Bench, slack: SlackServer, *reports: Any, settled: int) -> None:
    """Run the alert stage on these until so many messages are done with."""
    desk = Receiver("desk", SlackOptions(webhook_url=slack.webhook_url))
    route = Route("desk", routes=(Route("editors", Match(country=("SY",))),))
    bench.put(*reports)
    bench.start(bench.stage([desk], route, silences=SilenceReader(bench.log)))
    bench.until_settled(settled)
    bench.stop()


def report(article_id: str, **changes: Any) -> Any:
    fields = {"seen": utc_now(), "source": f"outlet-{article_id}", "source_name": article_id}
    flags = (make_flag(places=("الواحة",)),)
    return make_report(article_id, **{**fields, "flags": flags, **changes})


def make_article(article_id: str) -> Article:
    url = f"https://news.example/{article_id}"
    return Article(
        id=article_id, url=url, linked_url=url, source="s", source_name="s", feed="f", title="t",
        text="x", language="ar", seen=utc_now(), fetched=utc_now(), text_hash="h",
    )  # fmt: skip


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--config", str(config)])


def test_stories_are_listed_and_shown_with_what_is_independent(
    bench: Bench, slack: SlackServer, config: Path
) -> None:
    copy = report("a3", sketch=report("a1").sketch)
    tell(bench, slack, report("a1"), report("a2"), copy, settled=2)
    (listed,) = json.loads(run(config, "stories", "list", "--json").stdout)
    assert (listed["state"], listed["articles"], listed["independent"]) == ("attacked", 3, 2)
    assert "الواحة" in run(config, "stories", "list").stdout
    whole = json.loads(run(config, "stories", "show", listed["id"][:6], "--json").stdout)
    assert [(a["id"], a["independent"], a["copy_of"]) for a in whole["articles"]] == [
        ("a1", True, None), ("a2", True, None), ("a3", False, "a1"),
    ]  # fmt: skip
    assert [(a["receiver"], a["kind"], a["status"]) for a in whole["alerts"]] == [
        ("desk", "opened", "sent"), ("desk", "confirmed", "sent"),
    ]  # fmt: skip
    shown = run(config, "stories", "show", listed["id"][:6]).stdout
    assert "same place (الواحة)" in shown
    missing = run(config, "stories", "show", "ffff")
    assert missing.exit_code == 1


def test_alerts_are_listed_and_shown(bench: Bench, slack: SlackServer, config: Path) -> None:
    tell(bench, slack, report("a1"), settled=1)
    (listed,) = json.loads(run(config, "alerts", "list", "--json").stdout)
    assert (listed["receiver"], listed["status"], listed["route"]) == ("desk", "sent", "route")
    shown = run(config, "alerts", "show", listed["id"][:8]).stdout
    assert "oil_field: attacked" in shown
    assert json.loads(run(config, "alerts", "list", "--json", "--receiver", "x").stdout) == []


def test_a_route_tells_who_gets_a_story_and_which_line_says_why_not(
    bench: Bench, slack: SlackServer, config: Path, tmp_path: Path
) -> None:
    tell(bench, slack, report("a1"), settled=1)
    (listed,) = json.loads(run(config, "stories", "list", "--json").stdout)
    said = run(config, "route", "test", listed["id"][:8]).stdout.splitlines()
    assert said == [
        f"✗ editors: {config}:10: route.routes[0]: country is LY, not SY",
        f"✓ desk: {config}:7: route: gets it",
    ]
    whole = run(config, "stories", "show", listed["id"], "--json").stdout
    (tmp_path / "story.json").write_text(whole.replace('"LY"', '"SY"'), "utf-8")
    steps = json.loads(run(config, "route", "test", str(tmp_path / "story.json"), "--json").stdout)
    assert [(step["receiver"], step["gets_it"]) for step in steps] == [("editors", True)]


@pytest.mark.parametrize(
    ("more", "held_by", "said"),
    [
        ("mute_times: [{name: always, from: '00:00', until: '00:00'}]", "muted", "rasid.yaml:7:"),
        ("alerts: {rule_limit: 1/1h}", "rule_limit", "alerts.rule_limit: rule oil-attacked made"),
    ],
)
def test_a_route_tells_what_would_hold_a_message(
    bench: Bench, slack: SlackServer, config: Path, more: str, held_by: str, said: str
) -> None:
    tell(bench, slack, report("a1"), settled=1)
    (story,) = bench.stories()
    written = config.read_text("utf-8").replace(
        "  receiver: desk\n",
        "  receiver: desk\n  mute: [always]\n" if "mute" in more else "  receiver: desk\n",
    )
    config.write_text(written + more + "\n", "utf-8")
    assert said in run(config, "route", "test", story.id).stdout.splitlines()[1]
    _, desk = json.loads(run(config, "route", "test", story.id, "--json").stdout)
    assert (desk["receiver"], desk["gets_it"], desk["held_by"]) == ("desk", False, held_by)
    assert desk["digest_at"] is not None


def test_a_route_tells_of_limits_digests_and_silences_by_their_line(
    bench: Bench, slack: SlackServer, config: Path
) -> None:
    tell(bench, slack, report("a1"), settled=1)
    (story,) = bench.stories()
    plain = config.read_text("utf-8")
    for key, value in (("rate_limit", "1/1h"), ("digest", "{only: true}")):
        config.write_text(
            plain.replace("  - name: desk\n", f"  - name: desk\n    {key}: {value}\n"), "utf-8"
        )
        said = run(config, "route", "test", story.id).stdout
        assert f"✗ desk: {config}:4: receivers[0].{key}" in said
    config.write_text(plain, "utf-8")
    run(config, "silence", "add", "--story", story.id, "--author", "samira", "--reason", "known")
    said = run(config, "route", "test", story.id).stdout
    assert "✗ desk: " in said
    assert "by samira until" in said
    assert said.rstrip().endswith("known")


def test_why_tells_the_way_of_a_message_and_of_one_that_was_not_made(
    bench: Bench, slack: SlackServer, config: Path
) -> None:
    tell(bench, slack, report("a1"), report("a2", sketch=report("a1").sketch), settled=1)
    (alert,) = bench.alerts()
    (way,) = json.loads(run(config, "why", alert.id[:8], "--json").stdout)
    assert [(step["step"], step["went_on"]) for step in way["steps"]] == [
        ("flagged", True), ("joined", True), ("routed", False), ("sent", True),
    ]  # fmt: skip
    both = run(config, "why", alert.story_id[:8]).stdout
    assert "copy" in both
    assert "no message of its own" in both
    assert f"its story was told by message {alert.id[:8]}" in both


def test_why_tells_when_it_happened_as_the_message_does(
    bench: Bench, slack: SlackServer, config: Path
) -> None:
    happened = Happened(day=date(2026, 3, 3), part="dawn", text="فجر الثلاثاء")
    tell(bench, slack, report("a1", flags=(make_flag(happened=happened),)), settled=1)
    (alert,) = bench.alerts()
    why = run(config, "why", alert.id[:8]).stdout
    assert "Tuesday 2026-03-03 at dawn «فجر الثلاثاء»" in why
    (way,) = json.loads(run(config, "why", alert.id[:8], "--json").stdout)
    assert [step.get("happened") for step in way["steps"]] == [
        {"day": "2026-03-03", "part": "dawn", "text": "فجر الثلاثاء"}, None, None, None,
    ]  # fmt: skip


def test_why_names_the_silence_that_held_a_message(
    bench: Bench, slack: SlackServer, config: Path
) -> None:
    added = run(
        config, "silence", "add", "country=LY", "--author", "samira", "--reason", "maintenance"
    )
    assert added.exit_code == 0
    tell(bench, slack, report("a1"), settled=1)
    (story,) = bench.stories()
    why = run(config, "why", story.id[:8]).stdout
    assert f"silence {added.stdout.strip()} by samira until" in why
    assert f"{config}:7: route" in why
    listed = json.loads(run(config, "silence", "list", "--json").stdout)
    assert [(s["author"], s["reason"], s["match"]) for s in listed] == [
        ("samira", "maintenance", {"country": ["LY"]})
    ]
    assert run(config, "silence", "expire", added.stdout.strip()).exit_code == 0
    assert run(config, "silence", "list").stdout == ""
    assert "samira" in run(config, "silence", "list", "--all").stdout


def test_why_tells_what_a_message_waits_for(bench: Bench, slack: SlackServer, config: Path) -> None:
    slack.script.append(Answer(404, "no_service"))
    tell(bench, slack, report("a1"), report("a2", flags=(make_flag(places=("زلة",)),)), settled=1)
    (waits,) = [d.alert for d in bench.deliveries() if d.status == "pending"]
    why = run(config, "why", waits.id).stdout
    assert f"message {waits.id[:8]} (opened) to desk: pending" in why
    assert "desk refuses since " in why
    assert " UTC, and is left alone until " in why
    assert "✗ routed    not to editors" in why


def test_why_names_the_digest_that_told_a_message(
    bench: Bench, slack: SlackServer, config: Path
) -> None:
    times = [utc_now()]
    desk = Receiver("desk", SlackOptions(webhook_url=slack.webhook_url))
    gate = Gate({"desk": Wishes(limit=Limit(1, 3600))})
    bench.put(report("a1"), report("a2", flags=(make_flag(places=("زلة",)),)))
    bench.start(bench.stage([desk], gate=gate, clock=lambda: times[0]))
    bench.until(lambda: [d.status for d in bench.deliveries()].count("held") == 1)
    (held,) = [d.alert for d in bench.deliveries() if d.status == "held"]
    times[0] += timedelta(hours=1)
    slack.wait(2)
    bench.until_settled(3)
    digest = next(alert for alert in bench.alerts() if alert.kind == "digest")
    bench.stop()
    said = run(config, "why", held.id).stdout
    assert f"to desk: held; in the digest {digest.id[:8]} (sent)" in said
    assert "of 1 messages" in run(config, "alerts", "list").stdout


def test_a_silence_of_what_there_is_not_is_refused(
    bench: Bench, slack: SlackServer, config: Path
) -> None:
    tell(bench, slack, report("a1"), settled=1)
    (story,) = bench.stories()
    for words, said in (
        (["theme=oil_feild"], "theme=oil_feild: 'oil_feild' is no theme; did you mean oil_field?"),
        (["country=Libya"], "country=Libya: 'Libya' is no ISO country code, as LY"),
        (["status=denid"], "status=denid: 'denid' is no status; did you mean denied?"),
        (["source=dabnga"], "source=dabnga: 'dabnga' is no source's id; did you mean dabanga?"),
        (["--receiver", "dseks"], "no receiver is named 'dseks'; did you mean desk?"),
        (["--story", "ffff"], "no story has an id that begins with 'ffff'"),
        (["country=LY", "--for", "0s"], "--for '0s' ends at once"),
    ):
        refused = run(config, "silence", "add", *words, "--author", "a", "--reason", "b")
        assert refused.exit_code
        assert said in refused.stderr
    begun = ["--story", story.id[:6], "--author", "a", "--reason", "b"]
    assert run(config, "silence", "add", *begun).exit_code == 0
    (listed,) = json.loads(run(config, "silence", "list", "--json").stdout)
    assert listed["story"] == story.id


def test_why_says_that_what_is_past_opens_no_story(
    bench: Bench, slack: SlackServer, config: Path
) -> None:
    past = make_flag(status="past")
    article = make_article("a1")
    bench.append(ARTICLES, article.id, encode(article))
    tell(bench, slack, report("a1", flags=(past,)), report("a2"), settled=1)
    why = run(config, "why", article.url).stdout
    assert "✗ joined    no story" in why
    assert "what is only past" in why


@pytest.mark.parametrize("words", [["nonsense"], ["colour=red"], []])
def test_a_silence_of_nothing_is_refused(config: Path, words: list[str]) -> None:
    refused = run(config, "silence", "add", *words, "--author", "a", "--reason", "b")
    assert refused.exit_code == 2


def test_stories_are_an_atom_feed(bench: Bench, slack: SlackServer) -> None:
    hostile = report("a1", title="<b>قصف</b> & \x00 \ud800", url="https://news.example/a?b&c")
    title = hostile.title.encode("utf-8", "replace").decode()
    tell(bench, slack, report("a1", title=title, url=hostile.url), settled=1)
    feed = feedparser.parse(atom(bench.stories(), datetime(2026, 3, 1, tzinfo=UTC)))
    assert not feed.bozo
    (entry,) = feed.entries
    assert entry.link == "https://news.example/a?b&c"
    assert entry.id == f"urn:rasid:story:{bench.stories()[0].id}"
    assert "attacked" in entry.summary


def test_what_comes_from_outside_cannot_steer_the_terminal(
    bench: Bench, slack: SlackServer, config: Path
) -> None:
    hostile = "عاجل \x1b]0;owned\x07\x1b[2J \u202eحقل\x9b5m\nـ"
    flags = (make_flag(places=("\x1b[31mالواحة",), quote=hostile),)
    tell(bench, slack, report("a1", title=hostile, source_name=hostile, flags=flags), settled=1)
    (alert,) = bench.alerts()
    for words in (
        ("stories", "list"), ("stories", "show", alert.story_id), ("alerts", "list"),
        ("alerts", "show", alert.id), ("why", alert.id),
    ):  # fmt: skip
        said = run(config, *words).output
        assert "عاجل" in said
        assert [c for c in said if c in "\u202e\x9b" or (not c.isprintable() and c != "\n")] == []
