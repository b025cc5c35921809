"""What operators are told of Rasid itself."""

from datetime import UTC, datetime, timedelta

import pytest

from alerts.receivers import Receiver, SlackOptions
from alerts.routing import Route
from alerts.trouble import ALONE, Trouble, troubles
from streams.copying import copy
from streams.log import Transaction
from streams.notices import notice, operator_alert
from streams.records import CANARY, Delivery
from streams.sqlite import SqliteLog
from tests.fakes.alerts_bench import Bench, make_alert, make_report, utc_now
from tests.fakes.slack_server import CHANNEL, TOKEN, Answer, SlackServer

BROKE = datetime(2026, 3, 1, 12, tzinfo=UTC)


def bot(slack: SlackServer, name: str = "desk") -> Receiver:
    return Receiver(name, SlackOptions(token=TOKEN, channel=CHANNEL, api_url=slack.api_url))


def hook(slack: SlackServer, name: str = "desk") -> Receiver:
    return Receiver(name, SlackOptions(webhook_url=slack.webhook_url))


def tell(bench: Bench, about: str, text: str, *, over: bool = False) -> None:
    tx = Transaction()
    notice(tx, about, text, since=BROKE, over=over)
    (append,) = tx.appends
    bench.append(append.topic, append.key, append.value)


def headlines(slack: SlackServer) -> list[str]:
    return [each.body["blocks"][0]["text"]["text"].strip("\u2068\u2069") for each in slack.taken]


def test_trouble_is_told_once_and_its_end_in_answer_to_it(bench: Bench, slack: SlackServer) -> None:
    for _ in range(2):
        tell(bench, "feed/a", "feed a answers 500")
    for _ in range(2):
        tell(bench, "feed/a", "feed a is read again", over=True)
    bench.start(bench.stage([bot(slack)], operators="desk"))
    bench.until_settled(2)
    assert headlines(slack) == ["feed a answers 500", "feed a is read again"]
    _, second = slack.taken
    assert second.body["thread_ts"] == next(iter(slack.messages))
    assert "well again" in second.body["text"]


def test_an_end_without_a_beginning_is_not_told(bench: Bench, slack: SlackServer) -> None:
    tell(bench, "feed/a", "feed a is read again", over=True)
    tell(bench, "feed/b", "feed b answers 500")
    bench.start(bench.stage([hook(slack)], operators="desk"))
    bench.until_settled(1)
    assert headlines(slack) == ["feed b answers 500"]


def test_where_nobody_is_named_notices_of_other_stages_are_not_told(
    bench: Bench, slack: SlackServer
) -> None:
    tell(bench, "feed/a", "feed a answers 500")
    bench.put(make_report("a1", seen=utc_now()))
    bench.start(bench.stage([hook(slack)]))
    (delivery,) = bench.until_settled(1)
    assert delivery.alert.kind == "opened"


def test_of_many_at_once_the_rest_is_one_digest(bench: Bench, slack: SlackServer) -> None:
    for n in range(9):
        tell(bench, f"feed/{n}", f"feed {n} answers 500")
    at = datetime.now(UTC)
    times = [at]
    bench.start(bench.stage([hook(slack)], operators="desk", clock=lambda: times[0]))
    bench.until(lambda: len(slack.taken) == 5)
    bench.until(lambda: sum(d.status == "held" for d in bench.deliveries()) == 4)
    times[0] = at + timedelta(minutes=11)
    bench.until(lambda: any(alert.kind == "digest" for alert in bench.alerts()))
    digest = bench.alerts()[-1]
    assert [line.title for line in digest.lines] == [f"feed {n} answers 500" for n in range(5, 9)]


def test_a_receiver_that_refuses_is_told_of_to_the_operators_until_it_is_well(
    bench: Bench, slack: SlackServer
) -> None:
    times = [datetime.now(UTC)]
    slack.script.append(Answer(404, "no_service"))
    with SlackServer() as third, SlackServer() as operators:
        receivers = [hook(slack), hook(third, "third"), hook(operators, "operators")]
        bench.put(*(make_report(f"a{n}", seen=times[0]) for n in range(2)))
        bench.start(
            bench.stage(receivers, Route("desk"), operators="operators", clock=lambda: times[0])
        )
        operators.wait(1)
        times[0] += ALONE + timedelta(seconds=1)
        operators.wait(2)
        assert headlines(operators) == [
            "receiver desk refuses: Slack answered 404 no_service: check the webhook, or invite"
            " the bot to the channel",
            "receiver desk takes messages again",
        ]
        assert third.received == []


def test_a_receiver_that_is_down_is_told_of_within_two_minutes_and_when_it_is_back(
    bench: Bench, slack: SlackServer
) -> None:
    began = datetime.now(UTC)
    times = [began]
    down = Answer(503, "down")
    slack.script.extend([down] * 50)
    with SlackServer() as operators:
        bench.put(make_report("a1", seen=began))
        bench.start(
            bench.stage(
                [hook(slack), hook(operators, "operators")],
                Route("desk"),
                operators="operators",
                clock=lambda: times[0],
            )
        )
        for tries in range(1, 8):  # each after the longest that the one before may put it off
            bench.until(lambda n=tries: len(slack.received) == n)  # type: ignore[misc]
            bench.until(lambda n=tries: bench.deliveries()[0].attempts == n)  # type: ignore[misc]
            if tries < 7:
                assert not operators.received
                times[0] += timedelta(seconds=1.2 * 2 ** (tries - 1))
        operators.wait(1)
        assert times[0] - began <= timedelta(minutes=2)
        slack.script.clear()
        times[0] += timedelta(minutes=6)
        operators.wait(2)
        first, second = headlines(operators)
        assert first.startswith("receiver desk has taken nothing for 1 min: ")
        assert second == "receiver desk takes messages again"


def test_an_outage_is_told_once_whatever_starts_anew_in_it(
    bench: Bench, slack: SlackServer
) -> None:
    times = [datetime.now(UTC)]
    slack.script.extend([Answer(503, "down")] * 50)
    with SlackServer() as operators:
        receivers = [hook(slack), hook(operators, "operators")]

        def start() -> None:
            bench.start(
                bench.stage(receivers, Route("desk"), operators="operators", clock=lambda: times[0])
            )

        bench.put(make_report("a1", seen=times[0]))
        start()
        bench.until(lambda: [d.attempts for d in bench.deliveries()] == [1])
        times[0] += timedelta(minutes=2)
        operators.wait(1)
        bench.stop()
        times[0] += timedelta(minutes=6)
        start()
        bench.until(lambda: bench.deliveries()[0].attempts == 3)
        slack.script.clear()
        times[0] += timedelta(minutes=6)
        operators.wait(2)
        assert [text.rpartition(" for ")[0] or text for text in headlines(operators)] == [
            "receiver desk has taken nothing", "receiver desk takes messages again",
        ]  # fmt: skip


def test_the_canary_s_own_receiver_is_told_no_trouble(bench: Bench, slack: SlackServer) -> None:
    slack.script.append(Answer(404, "no_service"))
    with SlackServer() as canary:
        bench.put(make_report("a1", seen=utc_now()))
        bench.start(bench.stage([hook(slack), hook(canary, CANARY)], Route("desk")))
        bench.until_settled(1)
        bench.stop()
        assert [alert.about for alert in bench.alerts()] == [""]
        assert canary.received == []


def test_operators_that_refuse_are_told_of_through_another(
    bench: Bench, slack: SlackServer
) -> None:
    slack.script.extend([Answer(404, "no_service")] * 3)
    with SlackServer() as other:
        tell(bench, "feed/a", "feed a answers 500")
        bench.start(
            bench.stage(
                [hook(slack, "operators"), hook(other)], Route("desk"), operators="operators"
            )
        )
        other.wait(1)
        assert headlines(other)[0].startswith("receiver operators refuses")


def test_a_quarantine_outlives_a_restart_and_goes_with_a_copy_of_the_log(
    bench: Bench, slack: SlackServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    slack.script.append(Answer(404, "no_service"))
    bench.put(*(make_report(f"a{n}", seen=utc_now()) for n in range(2)))
    bench.start(bench.stage([hook(slack)]))
    bench.until_settled(1)
    bench.stop()
    bench.rest()
    target = SqliteLog(tmp_path_factory.mktemp("copy") / "rasid.db", clock=utc_now)
    copy(bench.log, target)
    copied = Bench(target)
    bench.work()
    try:
        for each in (bench, copied):
            stage = each.stage([hook(slack)])
            each.start(stage)
            each.until(lambda stage=stage: stage.ready)  # type: ignore[misc]
            each.put(make_report("a9", seen=utc_now()))
            each.until(lambda each=each: len(each.alerts()) == 3)  # type: ignore[misc]
            each.stop()
    finally:
        copied.close()
    assert len(slack.received) == 1


def test_what_was_taken_since_ends_a_quarantine() -> None:
    def row(minute: int, status: str, reason: str | None = None) -> Delivery:
        at = BROKE + timedelta(minutes=minute)
        alert = make_alert(article_id=f"a{minute}")
        return Delivery(alert=alert, status=status, reason=reason, updated=at)  # type: ignore[arg-type]

    dead = [row(1, "dead", "auth"), row(12, "dead", "auth")]
    since = BROKE + timedelta(minutes=1)
    until = BROKE + timedelta(minutes=12) + ALONE
    assert troubles(dead[::-1]) == {"desk": Trouble(since, until)}
    assert troubles([*dead, row(13, "sent")]) == {}
    assert troubles([row(1, "dead", "refused")]) == {}  # the message, not the receiver


def test_what_was_told_of_a_receiver_and_is_not_over_is_trouble() -> None:
    def told(minute: int, *, over: bool = False) -> Delivery:
        alert = operator_alert("receiver/desk", "down", since=BROKE, over=over, receiver="other")
        at = BROKE + timedelta(minutes=minute)
        return Delivery(alert=alert, status="sent", updated=at)

    assert troubles([told(1)]) == {"desk": Trouble(BROKE, told=True)}
    assert troubles([told(1), told(5, over=True)]) == {}


def test_one_that_fails_and_then_refuses_is_one_trouble(bench: Bench, slack: SlackServer) -> None:
    times = [datetime.now(UTC)]
    slack.script.extend([Answer(503, "down")] * 2 + [Answer(404, "no_service")])
    with SlackServer() as operators:
        receivers = [hook(slack), hook(operators, "operators")]
        bench.put(*(make_report(f"a{n}", seen=times[0]) for n in range(2)))
        bench.start(
            bench.stage(receivers, Route("desk"), operators="operators", clock=lambda: times[0])
        )
        for tries, later_s in ((1, 60), (2, 120)):
            bench.until(lambda n=tries: len(slack.received) == n)  # type: ignore[misc]
            bench.until(lambda n=tries: bench.deliveries()[0].attempts == n)  # type: ignore[misc]
            times[0] += timedelta(seconds=later_s)
        # The row says from when it is left alone: only then may the clock go on.
        bench.until(lambda: any(each.status == "dead" for each in bench.deliveries()))
        times[0] += ALONE + timedelta(seconds=1)
        operators.wait(2)
        first, second = headlines(operators)
        assert first.startswith("receiver desk has taken nothing for 1 min: ")
        assert second == "receiver desk takes messages again"
