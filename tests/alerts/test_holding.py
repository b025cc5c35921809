"""What holds a message that is due, and what becomes of it."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts.holding import Gate, Limit, Recent, Wishes, covering
from alerts.hours import Digest, MuteTime
from alerts.receivers import Receiver, SlackOptions
from alerts.routing import Route, Target
from alerts.silences import SilenceReader, read_silences, write_silence
from streams.records import Report, Silence
from tests.fakes.alerts_bench import NOW, Bench, make_alert, make_flag, make_report, utc_now
from tests.fakes.slack_server import Answer, SlackServer

HOUR = timedelta(hours=1)


def silence(**changes: Any) -> Silence:
    fields: dict[str, Any] = {
        "id": "s1", "author": "samira", "reason": "صيانة",
        "created": NOW - HOUR, "ends": NOW + HOUR,
    }  # fmt: skip
    return Silence(**{**fields, **changes})


def target(*flags: Any) -> Target:
    return Target("desk", "route", flags or (make_flag(),))


@pytest.mark.parametrize(
    ("changes", "covers"),
    [
        ({"match": {"theme": ("oil_field",)}}, True),
        ({"match": {"theme": ("oil_field",), "country": ("LY",)}}, True),
        ({"match": {"country": ("SY",)}}, False),
        ({"match": {}}, True),  # everything
        ({"match": {"theme": ("oil_field",)}, "ends": NOW}, False),
        ({"match": {"theme": ("oil_field",)}, "created": NOW + HOUR}, False),
        ({"match": {"theme": ("oil_field",)}, "receiver": "editors"}, False),
        ({"match": {"theme": ("oil_field",)}, "receiver": "desk"}, True),
        ({"story": "another"}, False),
    ],
)
def test_a_silence_covers_what_it_matches_for_its_time(
    changes: dict[str, Any], covers: bool
) -> None:
    assert bool(covering(make_alert(), target(), [silence(**changes)], NOW)) == covers


def test_a_silence_of_one_story_covers_it_whatever_it_tells() -> None:
    alert = make_alert()
    assert covering(alert, target(), [silence(story=alert.story_id)], NOW)


def test_what_only_part_of_a_message_is_silenced_for_is_sent() -> None:
    oil, truce = make_flag(), make_flag(theme="ceasefire", development="agreed")
    alert = make_alert(flags=(oil, truce))
    oils = silence(match={"theme": ("oil_field",)})
    truces = silence(id="s2", match={"theme": ("ceasefire",)})
    assert not covering(alert, target(oil, truce), [oils], NOW)
    assert covering(alert, target(oil), [oils], NOW)  # that route is about oil only
    assert covering(alert, target(oil, truce), [oils, truces], NOW) == [oils, truces]


def test_what_is_told_at_no_place_is_silenced_with_the_place_it_is_told_of() -> None:
    here = make_flag(places=("الشرارة",))
    more = make_flag(development="halted")
    for flags, match, covered in (
        ((here, more), {"place": ("الشرارة",)}, True),
        ((more,), {"place": ("الشرارة",)}, False),
        ((here, make_flag(theme="ceasefire")), {"place": ("الشرارة",)}, False),
        ((here, make_flag(places=("الفيل",))), {"place": ("الشرارة",)}, False),
        ((here, more), {"place": ("الشرارة",), "development": ("attacked",)}, False),
    ):
        quiet = covering(make_alert(), target(*flags), [silence(match=match)], NOW)
        assert bool(quiet) == covered


def test_each_reason_names_what_holds_and_until_when() -> None:
    morning = Digest("day", timezone="UTC")
    mute = MuteTime("noon", start=NOW.time(), until=(NOW + HOUR).time())
    recent = Recent()
    recent.note(("receiver", "desk"), NOW - timedelta(minutes=10))
    for n in range(3):
        recent.note(("rule", "oil-attacked"), NOW - timedelta(minutes=n))
    recent.note(("tripped", "rule/oil-attacked"), NOW - timedelta(minutes=20))
    eight = NOW + timedelta(hours=20)
    cases = [
        (Gate(), (), None, None),
        (Gate(), ("noon",), None, None),  # not configured any more
        (Gate(mutes={"noon": mute}), ("noon",), "muted", NOW + HOUR),
        (Gate({"desk": Wishes(digest=morning)}), (), None, None),
        (Gate({"desk": Wishes(digest=Digest(only=True))}), (), "digest_only", eight),
        (Gate({"desk": Wishes(limit=Limit(2, 3600))}), (), None, None),
        (Gate({"desk": Wishes(limit=Limit(1, 3600))}), (), "rate_limited",
         NOW + timedelta(minutes=50)),  # all that is held until then is one digest
        (Gate({"desk": Wishes(limit=Limit(1, 599))}), (), None, None),
        (Gate(rule_limit=Limit(3, 3600)), (), "rule_limit", NOW + timedelta(minutes=40)),
    ]  # fmt: skip
    for gate, mutes, reason, due in cases:
        where = Target("desk", "route", (make_flag(),), mute=mutes)
        held = gate.judge(make_alert(), where, (), recent, NOW)
        assert (held.reason if held else None, held.due if held else None) == (reason, due)
        assert held is None or held.why


# --- at a real log -----------------------------------------------------------------------


def desk(slack: SlackServer, name: str = "desk") -> Receiver:
    return Receiver(name, SlackOptions(webhook_url=slack.webhook_url))


def put(bench: Bench, *article_ids: str) -> None:
    bench.put(*(make_report(each, seen=utc_now()) for each in article_ids))


class Hands:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = utc_now()

    def __call__(self) -> datetime:
        return self.now

    def pass_limit(self, bench: Bench, *, held: int) -> None:
        """Go on to where a limit an hour frees, once so many are held."""
        bench.until(lambda: [d.status for d in bench.deliveries()].count("held") == held)
        self.now += HOUR


def an_hour(messages: int) -> Gate:
    return Gate({"desk": Wishes(limit=Limit(messages, HOUR.total_seconds()))})


def test_a_silence_added_beside_the_daemon_holds_and_is_named(
    bench: Bench, slack: SlackServer
) -> None:
    added = silence(created=utc_now(), ends=utc_now() + HOUR, match={"country": ("LY",)})
    assert write_silence(bench.log, added)
    assert read_silences(bench.log) == [added]
    put(bench, "a1")
    bench.start(bench.stage([desk(slack)], silences=SilenceReader(bench.log)))
    (delivery,) = bench.until_settled(1)
    assert (delivery.status, delivery.reason) == ("silenced", "silenced")
    assert "silence s1 by samira until" in (delivery.error or "")
    assert bench.alerts() == []
    assert slack.received == []
    bench.until(lambda: bench.metric("rasid_alerts_held_total", reason="silenced") == 1)


def test_what_was_silenced_is_told_as_new_when_it_changes_later(
    bench: Bench, slack: SlackServer
) -> None:
    write_silence(bench.log, silence(created=utc_now(), ends=utc_now() + HOUR))
    put(bench, "a1")
    bench.start(bench.stage([desk(slack)], silences=SilenceReader(bench.log)))
    bench.until_settled(1)
    bench.stop()
    write_silence(bench.log, silence(created=utc_now() - HOUR, ends=utc_now()))
    flag = make_flag(development="halted", places=("حقل a1",))
    bench.put(make_report("a2", seen=utc_now(), flags=(flag,)))
    bench.start(bench.stage([desk(slack)], silences=SilenceReader(bench.log)))
    bench.until(lambda: len(slack.taken) == 1)
    (alert,) = bench.alerts()
    assert (alert.kind, alert.thread) == ("changed", None)


def test_beyond_the_limit_of_a_receiver_the_rest_is_one_digest(
    bench: Bench, slack: SlackServer
) -> None:
    put(bench, "a1", "a2", "a3", "a4")
    clock = Hands()
    bench.start(bench.stage([desk(slack)], gate=an_hour(2), clock=clock))
    clock.pass_limit(bench, held=2)
    bench.until(lambda: len(slack.taken) == 3)
    assert [alert.kind for alert in bench.alerts()] == ["opened", "opened", "digest"]
    assert {line.title[-2:] for line in bench.alerts()[2].lines} == {"a3", "a4"}
    shown = json.dumps(slack.taken[2].body["blocks"], ensure_ascii=False)
    assert "النفطي a3" in shown
    assert "النفطي a4" in shown
    bench.until(lambda: all(d.status != "pending" for d in bench.deliveries()))
    held = [d for d in bench.deliveries() if d.status == "held"]
    assert {(d.reason, d.alert.article_id) for d in held} == {
        ("rate_limited", "a3"), ("rate_limited", "a4"),
    }  # fmt: skip


def test_what_is_held_is_told_after_a_restart(bench: Bench, slack: SlackServer) -> None:
    put(bench, "a1", "a2")
    clock = Hands()
    bench.start(bench.stage([desk(slack)], gate=an_hour(1), clock=clock))
    bench.until_settled(2)
    bench.stop()
    bench.start(bench.stage([desk(slack)], gate=an_hour(1), clock=clock))
    clock.pass_limit(bench, held=1)
    bench.until(lambda: len(slack.taken) == 2)
    assert bench.alerts()[-1].kind == "digest"


def test_a_digest_tells_a_story_once_as_it_stands_and_how_many_tell_it(
    bench: Bench, slack: SlackServer
) -> None:
    def told_by(name: str, **changes: Any) -> Report:
        return make_report(name, seen=utc_now(), source=name, source_name=name, **changes)

    first = told_by("a2")
    copies = [told_by(each, sketch=first.sketch, flags=first.flags) for each in ("c1", "c2")]
    halted = make_flag(development="halted", places=("حقل a2",))
    bench.put(told_by("a1"), first, *copies, told_by("a3", flags=(halted,)))
    clock = Hands()
    bench.start(bench.stage([desk(slack)], gate=an_hour(1), clock=clock))
    clock.pass_limit(bench, held=2)
    bench.until(lambda: len(slack.taken) == 2)
    (line,) = bench.alerts()[-1].lines
    assert [state.development for state in line.states] == ["attacked", "halted"]
    assert (line.outlets, line.copies, line.independent) == (4, 2, 2)
    held = [d.alert for d in bench.deliveries() if d.status == "held"]
    assert [alert.kind for alert in held] == ["opened", "changed"]
    assert {*line.also, line.alert_id} == {alert.id for alert in held}
    assert "copies: 2" in slack.taken[1].body["blocks"][1]["text"]["text"]


def test_what_is_taken_back_before_its_digest_is_told_to_nobody(
    bench: Bench, slack: SlackServer
) -> None:
    put(bench, "a1", "a2")
    bench.put(make_report("a2", seen=utc_now(), revision=2, flags=()))
    clock = Hands()
    bench.start(bench.stage([desk(slack)], gate=an_hour(1), clock=clock))
    clock.pass_limit(bench, held=2)
    bench.until(lambda: [d.reason for d in bench.deliveries()].count("withdrawn") == 2)
    assert [alert.kind for alert in bench.alerts()] == ["opened"]


def test_what_a_digest_told_is_corrected(bench: Bench, slack: SlackServer) -> None:
    put(bench, "a1", "a2", "a3")
    clock = Hands()
    bench.start(bench.stage([desk(slack)], gate=an_hour(2), clock=clock))
    clock.pass_limit(bench, held=1)
    bench.until(lambda: len(slack.taken) == 3)
    assert [alert.kind for alert in bench.alerts()] == ["opened", "opened", "digest"]
    bench.put(make_report("a3", seen=utc_now(), revision=2, flags=()))
    bench.until(lambda: len(slack.taken) == 4)
    told = bench.alerts()[-1]
    assert (told.kind, told.article_id, told.thread) == ("corrected", "a3", None)


def test_a_rule_gone_wild_is_held_and_said_once(bench: Bench, slack: SlackServer) -> None:
    gate = Gate(rule_limit=Limit(2, 3600))
    put(bench, *(f"a{n}" for n in range(5)))
    bench.start(bench.stage([desk(slack)], gate=gate))
    bench.until(lambda: len(slack.taken) == 3)
    bench.until(lambda: bench.metric("rasid_alerts_held_total", reason="rule_limit") == 3)
    kinds = sorted(alert.kind for alert in bench.alerts())
    assert kinds == ["opened", "opened", "operator"]
    assert "rule oil-attacked made 2 messages" in bench.alerts()[-1].title


def test_after_an_outage_what_is_too_old_is_one_digest(bench: Bench, slack: SlackServer) -> None:
    """The flood after an outage is one message; max_age is never under an hour, so the clock
    is moved."""
    put(bench, "a1", "a2", "a3")
    slack.script.extend(Answer(503, "") for _ in range(30))
    bench.start(bench.stage([desk(slack)]))
    slack.wait(1)
    bench.stop()
    slack.script.clear()
    later = timedelta(days=2)
    bench.start(bench.stage([desk(slack)], clock=lambda: utc_now() + later))
    bench.until(lambda: len(slack.taken) == 1)
    assert bench.alerts()[-1].kind == "digest"
    assert len(bench.alerts()[-1].lines) == 3
    assert {line.why for line in bench.alerts()[-1].lines} == {"expired"}
    statuses = sorted(d.status for d in bench.until_settled(4))
    assert statuses == ["expired", "expired", "expired", "sent"]


def test_a_receiver_that_refuses_for_good_is_left_alone_and_told_of_through_another(
    bench: Bench, slack: SlackServer
) -> None:
    slack.script.append(Answer(404, "no_service"))
    with SlackServer() as other:
        put(bench, "a1", "a2", "a3")
        bench.start(bench.stage([desk(slack), desk(other, "editors")], Route("desk")))
        other.wait(1)
        assert len(slack.received) == 1
        text = other.taken[0].body["blocks"][0]["text"]["text"]
        assert "receiver desk refuses: Slack answered 404 no_service" in text
    statuses = [d.status for d in bench.deliveries() if d.alert.receiver == "desk"]
    assert statuses == ["dead", "pending", "pending"]
