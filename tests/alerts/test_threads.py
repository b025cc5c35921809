"""One message a story: edited as it grows, its changes in its thread."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from alerts.receivers import Receiver, SlackOptions
from alerts.routing import Match, Route
from streams.records import DELIVERIES, Report
from tests.fakes.alerts_bench import Bench, make_flag, make_report, utc_now
from tests.fakes.slack_server import CHANNEL, TOKEN, Answer, SlackServer


def bot(slack: SlackServer, name: str = "desk") -> Receiver:
    return Receiver(name, SlackOptions(token=TOKEN, channel=CHANNEL, api_url=slack.api_url))


def tells(article_id: str, development: str = "attacked", **changes: Any) -> Report:
    """A report on one oil field, by an outlet of its own."""
    flag = make_flag(development=development, places=("الواحة",))
    fields = {"seen": utc_now(), "source": f"outlet-{article_id}", "source_name": article_id}
    return make_report(article_id, **{**fields, "flags": (flag,), **changes})


def shown(slack: SlackServer) -> list[str]:
    """What each request was: a post, a reply in a thread, or an edit."""
    kinds = []
    for request in slack.taken:
        if request.path.endswith("update"):
            kinds.append("edit")
        else:
            kinds.append("reply" if request.body.get("thread_ts") else "post")
    return kinds


def edits_settled(bench: Bench) -> Callable[[], bool]:
    return lambda: all(d.edits is None and d.status == "sent" for d in bench.deliveries())


def test_a_change_goes_into_the_thread_and_the_message_is_edited(
    bench: Bench, slack: SlackServer
) -> None:
    bench.start(bench.stage([bot(slack)]))
    bench.put(tells("a1"))
    bench.until_settled(1)
    bench.put(tells("a2", "halted"))
    bench.until(lambda: len(slack.taken) == 3)
    bench.until(edits_settled(bench))
    assert sorted(shown(slack)) == ["edit", "post", "reply"]
    first, reply = sorted(slack.messages)
    assert slack.messages[reply]["thread_ts"] == first
    assert [alert.kind for alert in bench.alerts()] == ["opened", "changed"]
    assert bench.alerts()[1].thread == bench.alerts()[0].id
    assert bench.metric("rasid_alerts_total", receiver="desk", outcome="edited") == 1


def test_what_changes_nothing_edits_the_message_only(bench: Bench, slack: SlackServer) -> None:
    bench.start(bench.stage([bot(slack)]))
    bench.put(tells("a1", sketch=tuple(range(40))))
    bench.until_settled(1)
    bench.put(tells("a2", sketch=tuple(range(40))))
    bench.until(lambda: len(slack.taken) == 2)
    bench.until(edits_settled(bench))
    assert shown(slack) == ["post", "edit"]
    assert len(bench.alerts()) == len(bench.deliveries()) == 1
    assert bench.alerts()[0].stories[0].outlets == ("a1",)


def test_an_edit_of_what_is_not_sent_yet_is_taken_in(bench: Bench, slack: SlackServer) -> None:
    slack.script.append(Answer(429, "", {"Retry-After": "1"}))
    bench.start(bench.stage([bot(slack)]))
    bench.put(tells("a1", sketch=tuple(range(40))))
    slack.wait(1)
    bench.put(tells("a2", sketch=tuple(range(40))))
    (delivery,) = bench.until_settled(1)
    bench.until(lambda: len(bench.deliveries()) == 1)
    assert set(shown(slack)) <= {"post", "edit"}
    assert shown(slack)[0] == "post"
    assert delivery.alert.id == bench.alerts()[0].id


def test_a_webhook_cannot_edit_and_gets_follow_ups_only(bench: Bench, slack: SlackServer) -> None:
    hook = Receiver("desk", SlackOptions(webhook_url=slack.webhook_url))
    bench.put(tells("a1"), tells("a2"), tells("a3"), tells("a4", "halted"))
    bench.start(bench.stage([hook]))
    bench.until_settled(3)
    assert [alert.kind for alert in bench.alerts()] == ["opened", "confirmed", "changed"]
    assert len(bench.values(DELIVERIES, type(bench.deliveries()[0]))) == 3


def test_what_one_report_brings_about_is_one_message_a_receiver(
    bench: Bench, slack: SlackServer
) -> None:
    yemen = make_flag(theme="ceasefire", development="agreed", countries=("YE",), score=0.9)
    bench.put(tells("a1", flags=(make_flag(), yemen)))
    bench.start(bench.stage([bot(slack)]))
    bench.until_settled(1)
    (alert,) = bench.alerts()
    assert [part.kind for part in alert.stories] == ["opened", "opened"]
    assert len(bench.stories()) == 2


def test_a_first_message_waits_for_more_when_its_route_says_so(
    bench: Bench, slack: SlackServer
) -> None:
    bench.put(tells("a1"), tells("a2"), tells("a3", "halted"))
    bench.start(bench.stage([bot(slack)], Route("desk", wait_s=0.7)))
    (delivery,) = bench.until_settled(1)
    bench.until(edits_settled(bench))
    assert shown(slack) == ["post"]
    assert delivery.alert.stories[0].independent == 3
    assert [s.development for s in delivery.alert.stories[0].states] == ["attacked", "halted"]
    assert delivery.updated - delivery.alert.created >= timedelta(seconds=0.7)


def test_what_is_taken_back_while_it_waits_is_told_to_nobody(
    bench: Bench, slack: SlackServer
) -> None:
    yemen = make_flag(theme="ceasefire", development="agreed", countries=("YE",))
    both = (make_flag(places=("السرير",)), yemen)
    bench.put(tells("a1"), tells("a2", flags=both))
    bench.put(tells("a1", revision=2, flags=()), tells("a2", revision=2, flags=(yemen,)))
    bench.start(bench.stage([bot(slack)], Route("desk", wait_s=0.3)))
    taken_back, told = bench.until_settled(2)
    assert (taken_back.status, taken_back.reason, taken_back.attempts) == (
        "expired", "withdrawn", 0,
    )  # fmt: skip
    assert (told.status, told.alert.stories[0].states[0].theme) == ("sent", "ceasefire")
    assert [flag.theme for flag in told.alert.flags] == ["ceasefire"]
    assert shown(slack) == ["post"]
    bench.stop()
    bench.start(bench.stage([bot(slack)], Route("desk")))
    bench.put(tells("a3", "halted"))
    bench.until(lambda: len(slack.taken) >= 2)
    assert shown(slack)[-1] == "post"  # nobody has heard of it: no thread to answer in


def test_the_first_message_on_a_story_can_be_found_again(bench: Bench, slack: SlackServer) -> None:
    bench.start(bench.stage([bot(slack)]))
    bench.put(tells("a1"))
    (delivery,) = bench.until_settled(1)
    ts = next(iter(slack.messages))
    assert delivery.link == f"https://desk.slack.example/archives/C1/p{ts.replace('.', '')}"
    slack.permalinks = False
    bench.put(make_report("other", seen=utc_now()))
    _, second = bench.until_settled(2)
    assert (second.status, second.link) == ("sent", None)


def test_a_receiver_of_what_several_sources_tell_hears_when_they_do(
    bench: Bench, slack: SlackServer
) -> None:
    sure = Route("sure", Match(min_sources=3))
    bench.put(*(tells(f"a{n}") for n in range(5)))
    bench.start(bench.stage([bot(slack), bot(slack, "sure")], Route("desk", routes=(sure,))))
    bench.until_settled(3)
    assert [(a.receiver, a.kind, a.article_id) for a in bench.alerts()] == [
        ("desk", "opened", "a0"),
        ("desk", "confirmed", "a1"),
        ("sure", "confirmed", "a2"),
    ]


def test_a_correction_is_told_to_those_who_heard_what_it_takes_back(
    bench: Bench, slack: SlackServer
) -> None:
    bench.start(bench.stage([bot(slack)]))
    bench.put(tells("a1"))
    bench.until_settled(1)
    bench.put(tells("a1", revision=2, flags=()))
    bench.until(lambda: len(slack.taken) == 3)
    bench.until(edits_settled(bench))
    assert sorted(shown(slack)) == ["edit", "post", "reply"]
    assert bench.alerts()[1].kind == "corrected"
    assert [s.development for s in bench.alerts()[1].stories[0].struck] == ["attacked"]
