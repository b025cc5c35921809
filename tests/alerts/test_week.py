"""A made-up week in Libya brings exactly the messages an editor would want.

week.yaml tells it; articles are flagged by the real flagger, and the messages arrive at a
Slack stand-in, a mail server and a webhook server. docs/alerts.md lists them.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.receivers import EmailOptions, Receiver, SlackOptions, WebhookOptions
from alerts.render import Manner
from alerts.routing import Match, Route
from alerts.silences import read_silences, write_silence
from collectors.catalogue import load_catalogue
from processors.atlas import Atlas
from processors.flagger import Document, Flagger, load_flagger
from processors.lead import read_lead
from processors.processor import report
from streams.records import Article, Report, Silence
from tests.fakes.alerts_bench import Bench
from tests.fakes.clock import FakeClock
from tests.fakes.slack_server import CHANNEL, TOKEN, SlackServer
from tests.fakes.smtp_server import MailServer
from tests.fakes.webhook_server import SECRET, WebhookServer

WEEK = yaml.safe_load((Path(__file__).parent / "week.yaml").read_text("utf-8"))
DOCS = Path(__file__).parents[2] / "docs" / "alerts.md"
ROUTE = Route(
    "desk",
    routes=(
        Route("aid", Match(min_sources=2), continue_=True),
        Route("energy", Match(theme=("oil_field",)), continue_=True),
        Route("desk", Match(country=("LY",))),
    ),
)


class Newsroom:
    """Turns the steps of the week into Reports."""

    def __init__(self) -> None:
        self._flagger: Flagger = load_flagger(check_examples=False)
        self._names = {id: source.name for id, source in load_catalogue().items()}
        self._atlas = Atlas()
        self._articles: dict[str, Article] = {}

    def reports(self, step: dict[str, Any], number: int) -> list[Report]:
        if "copies" in step:
            first = self._articles[step["copies"]]
            return [
                self._report(f"{first.id}-{source}", step["at"], source, first.title, first.text)
                for source in step["sources"]
            ]
        if "corrects" in step:
            before = self._articles[step["corrects"]]
            return [
                self._report(
                    before.id, before.seen, before.source, step["title"], step["text"], revision=2
                )
            ]
        if "text" in step:
            name = step.get("id") or f"step{number}"
            return [self._report(name, step["at"], step["source"], step["title"], step["text"])]
        return []

    def _report(
        self, id: str, at: datetime, source: str, title: str, text: str, revision: int = 1
    ) -> Report:
        article = Article(
            id=id,
            revision=revision,
            url=f"https://{source}.example/{id}",
            linked_url=f"https://{source}.example/{id}",
            source=source,
            source_name=self._names[source],
            feed=f"https://{source}.example/feed",
            title=title,
            text=text,
            language="ar",
            published=at - timedelta(minutes=4),
            seen=at,
            fetched=at,
            text_hash=f"{id}/{revision}",
        )
        self._articles[id] = article
        document = Document(title, text, "ar", source, "LY", article.published)
        lead = read_lead(document, self._flagger.book(document), self._atlas)
        return report(article, self._flagger.flag(document), self._flagger.digest, lead=lead)


@pytest.fixture
def hooks() -> Iterator[WebhookServer]:
    with WebhookServer() as server:
        yield server


def test_the_messages_that_arrive_are_those_an_editor_wants(
    bench: Bench,
    slack: SlackServer,
    mail_server: MailServer,
    hooks: WebhookServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("alerts.sender.SLACK_INTERVAL_S", 0.01)  # the pace has a test of its own
    monkeypatch.setattr("alerts.sender.LATER_S", 0.05)
    clock = FakeClock(_time(WEEK[0]))
    receivers = [
        Receiver("desk", SlackOptions(token=TOKEN, channel=CHANNEL, api_url=slack.api_url)),
        Receiver(
            "energy",
            EmailOptions("rasid@desk.example", ("oil@desk.example",), "127.0.0.1",
                         mail_server.port, tls="none"),
            Manner(("ar",), "Africa/Tripoli"),
        ),
        Receiver("aid", WebhookOptions(hooks.url, SECRET)),
    ]  # fmt: skip
    stage = bench.stage(receivers, ROUTE, clock=clock, silences=lambda: read_silences(bench.log))
    bench.start(stage)
    newsroom = Newsroom()
    arrived: Counter[tuple[str, str]] = Counter()
    for number, step in enumerate(WEEK):
        clock.now = _time(step)
        if "slack" in step:
            slack.away = step["slack"] == "away"
        if "silence" in step:
            assert write_silence(bench.log, _silence(step["silence"], clock.now))
        bench.put(*newsroom.reports({**step, "at": clock.now}, number))
        bench.until(lambda: _idle(bench, away=slack.away), 20)
        sent = Counter(
            (d.alert.receiver, d.alert.kind)
            for d in bench.deliveries()
            if d.status == "sent" and d.edits is None
        )
        wanted = Counter((message["to"], message["kind"]) for message in step["messages"])
        assert sent - arrived == wanted, step["what"]
        arrived = sent
    # What was recorded as sent did arrive, and nothing else did.
    posts = [request for request in slack.taken if request.path.endswith("postMessage")]
    by_receiver = Counter(receiver for receiver, _ in arrived.elements())
    assert by_receiver == {
        "desk": len(posts), "energy": len(mail_server.mails), "aid": len(hooks.bodies),
    }  # fmt: skip
    assert bench.letters() == []
    # On Slack there is one message a story, and what changed stands in its thread.
    assert sum("thread_ts" not in request.body for request in posts) == 2
    bombed = next(m for m in slack.messages.values() if "الشرارة" in m["blocks"][0]["text"]["text"])
    shown = str(bombed["blocks"])
    for source in ("libya-update", "libya-review"):  # the message was edited to name copies
        assert load_catalogue()[source].name in shown


def test_the_documentation_lists_them_all() -> None:
    text = DOCS.read_text("utf-8")
    for step in WEEK:
        assert step["what"] in text
        for message in step["messages"]:
            assert message["reason"] in text


def _time(step: dict[str, Any]) -> datetime:
    at: datetime = step["at"]
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _silence(part: dict[str, Any], now: datetime) -> Silence:
    return Silence(
        id="s1",
        author=part["author"],
        reason=part["reason"],
        created=now,
        ends=now + timedelta(hours=part["hours"]),
        match={key: tuple(values) for key, values in part["match"].items()},
    )


def _idle(bench: Bench, *, away: bool) -> bool:
    """Everything was read, and all is sent but what waits for Slack."""
    behind = [info.positions.get("alert", 0) for info in bench.log.topics() if info.positions]
    pending = [d for d in bench.deliveries() if d.status == "pending"]
    waits = [d for d in pending if away and d.alert.receiver == "desk"]
    tried = not waits or any(d.attempts for d in waits)
    return not any(behind) and len(pending) == len(waits) and tried
