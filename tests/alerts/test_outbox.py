"""Who is sent to next: fair between receivers, in order within one, and patient."""

from datetime import datetime, timedelta

from alerts.outbox import TRIES, Outbox
from alerts.pacing import BACKOFF_LIMIT_S, Bucket, backoff_s
from tests.fakes.alerts_bench import NOW

KNOWN = ("desk", "editors")


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def filled(**counts: int) -> Outbox:
    """Messages named d0, d1, … for `desk`, e0, … for `editors`."""
    outbox = Outbox()
    for receiver, count in counts.items():
        for n in range(count):
            outbox.add(receiver, f"{receiver[0]}{n}", due=NOW, queued=NOW)
    return outbox


def take(outbox: Outbox, seconds: float = 0.0) -> list[str]:
    return [alert for _, alert in outbox.take(at(seconds), seconds, KNOWN)]


def fail(outbox: Outbox, alert: str, seconds: float, due: float, **how: bool) -> None:
    outbox.postpone("desk", alert, now=at(seconds), due=at(due), **how)


def test_one_message_is_in_flight_a_receiver() -> None:
    outbox = filled(desk=2, editors=1)
    assert take(outbox) == ["d0", "e0"]
    assert take(outbox) == []
    assert outbox.in_flight() == {"desk": "d0", "editors": "e0"}
    outbox.settle("desk", "d0", sent=True)
    assert take(outbox) == ["d1"]


def test_order_is_kept_through_a_failure() -> None:
    outbox = filled(desk=2)
    assert take(outbox) == ["d0"]
    fail(outbox, "d0", 0, 1)
    assert take(outbox, 0.7) == []  # the lane holds, not only the message
    assert take(outbox, 1.3) == ["d0"]


def test_a_receiver_that_is_down_delays_no_other() -> None:
    outbox = filled(desk=5, editors=5)
    assert take(outbox) == ["d0", "e0"]
    fail(outbox, "d0", 0, 300, asked=True)
    for n in range(5):
        outbox.settle("editors", f"e{n}", sent=True)
        assert take(outbox, 0.1) == ([f"e{n + 1}"] if n < 4 else [])


def test_what_the_receiver_asked_for_is_obeyed_to_the_second() -> None:
    outbox = filled(desk=2)
    take(outbox)
    fail(outbox, "d0", 0, 30, asked=True)
    assert take(outbox, 29.999) == []
    assert take(outbox, 30) == ["d0"]


def test_a_receiver_that_asks_to_wait_again_and_again_is_told_in_order() -> None:
    outbox = filled(desk=3)
    for at in range(0, 300, 30):
        assert take(outbox, at) == ["d0"]
        fail(outbox, "d0", at, at + 30, asked=True)
    sent = []
    for at in (300, 301, 302):
        for alert in take(outbox, at):
            sent.append(alert)
            outbox.settle("desk", alert, sent=True)
    assert sent == ["d0", "d1", "d2"]


def test_a_story_is_told_in_order_though_the_receiver_fails() -> None:
    outbox = Outbox()
    for number, story in enumerate("aab"):
        outbox.add("desk", f"d{number}", due=NOW, queued=NOW, story=story)
    tried: set[str] = set()
    for now in range(0, 6000, 10):
        for alert in take(outbox, now):
            tried.add(alert)
            fail(outbox, alert, now, now)
    assert tried == {"d0", "d2"}


def test_one_bad_message_does_not_block_those_behind_it() -> None:
    outbox = filled(desk=4)
    now, sent = 0.0, []
    attempts = 0
    while len(sent) < 3:
        (alert,) = take(outbox, now) or [None]  # type: ignore[list-item]
        if alert == "d0":
            attempts += 1
            fail(outbox, "d0", now, now + backoff_s(attempts, "d0"))
        elif alert:
            sent.append(alert)
            outbox.settle("desk", alert, sent=True)
        now += 0.1
        assert now < 60
    assert sent == ["d1", "d2", "d3"]
    assert attempts >= TRIES


def test_after_an_outage_order_is_restored() -> None:
    outbox = filled(desk=6)
    now, attempts = 0.0, dict.fromkeys([f"d{n}" for n in range(6)], 0)
    while now < 120:
        for alert in take(outbox, now):
            attempts[alert] += 1
            fail(outbox, alert, now, now + backoff_s(attempts[alert], alert))
        now += 0.5
    sent: list[str] = []
    while len(sent) < 6:
        for alert in take(outbox, now):
            sent.append(alert)
            outbox.settle("desk", alert, sent=True)
        now += 0.5
    assert sent[1:] == sorted(sent[1:])  # the first may be the one that found out


def test_a_message_some_recipients_have_holds_nothing_up() -> None:
    outbox = filled(desk=2)
    take(outbox)
    fail(outbox, "d0", 0, 1, well=True)
    assert take(outbox, 0.1) == ["d1"]


def test_receivers_of_one_channel_share_its_pace() -> None:
    outbox = filled(desk=10, editors=10)
    outbox.pace({"desk": "#news", "editors": "#news"}, interval_s=1, burst=5)
    times: list[float] = []
    for tenth in range(100):
        now = tenth / 10
        for receiver, alert in outbox.take(at(now), now, KNOWN):
            times.append(now)
            outbox.settle(receiver, alert, sent=True)
    assert times[4] <= 0.5
    assert [round(later) for later in times[5:]] == list(range(1, 10))


def test_a_bucket_gives_a_burst_then_one_each_interval() -> None:
    bucket, sent, now = Bucket(1.0, 5), [], 100.0
    while now < 110:
        if bucket.ready_at() <= now:
            bucket.take(now)
            sent.append(now)
        now += 0.25
    burst = [100.0, 100.25, 100.5, 100.75, 101.0]
    assert sent == [*burst, 101.25, *(float(n) for n in range(102, 110))]


def test_backoff_doubles_to_its_limit_with_a_jitter_that_never_changes() -> None:
    waits = [backoff_s(n, "a1") for n in range(1, 40)]
    for n, wait in enumerate(waits):
        whole = min(2.0**n, BACKOFF_LIMIT_S)
        assert 0.8 * whole <= wait <= 1.2 * whole
    assert waits == [backoff_s(n, "a1") for n in range(1, 40)]
    assert backoff_s(1, "a1") != backoff_s(1, "a2")


def test_what_waited_too_long_or_for_nobody_is_hopeless() -> None:
    outbox = filled(desk=2)
    outbox.add("desk", "d9", due=at(50), queued=at(50))
    outbox.add("gone", "g0", due=NOW, queued=NOW)
    assert take(outbox) == ["d0"]
    found = outbox.hopeless(at(100), KNOWN, 60, 10)
    assert found == [("desk", "d1"), ("gone", "g0")]  # not d0, which is in flight
    assert outbox.hopeless(at(100), KNOWN, 60, 1) == [("desk", "d1")]


def test_a_receiver_configured_anew_is_tried_at_once() -> None:
    outbox = filled(desk=1)
    take(outbox)
    fail(outbox, "d0", 0, 300, asked=True)
    outbox.forgive("desk", at(1))
    assert take(outbox, 1) == ["d0"]


def test_how_long_to_wait_is_known() -> None:
    outbox = Outbox()
    assert outbox.wait_s(NOW, 0, 0.5) == 0.5
    outbox.add("desk", "d0", due=at(0.2), queued=NOW)
    assert abs(outbox.wait_s(NOW, 0, 0.5) - 0.2) < 1e-6
    outbox.hold("desk", at(0.4))
    assert abs(outbox.wait_s(NOW, 0, 0.5) - 0.4) < 1e-6
    outbox.hold("desk", at(0.3))  # the later of two holds
    assert abs(outbox.wait_s(NOW, 0, 0.5) - 0.4) < 1e-6
    assert take(outbox, 1) == ["d0"]
    assert outbox.wait_s(at(1), 1, 0.5) == 0.5


def test_loading_anew_forgets_all_but_what_is_in_flight() -> None:
    outbox = filled(desk=2, editors=1)
    outbox.take(NOW, 0, ("desk",))
    outbox.clear()
    assert outbox.pending() == {"desk": 1, "editors": 0}
    outbox.add("desk", "d0", due=NOW, queued=NOW)
    assert take(outbox) == []
    outbox.release("desk", "d0")
    assert take(outbox) == ["d0"]


def test_the_oldest_that_waits_is_told_by_receiver() -> None:
    outbox = filled(desk=1)
    outbox.add("desk", "later", due=at(5), queued=at(5))
    assert outbox.oldest() == {"desk": NOW}
    outbox.settle("desk", "d0")
    assert outbox.oldest() == {"desk": at(5)}
    outbox.settle("desk", "later")
    assert outbox.oldest() == {}


def test_a_clock_set_back_keeps_nothing_back_for_longer() -> None:
    outbox = filled(desk=1, editors=1)
    assert take(outbox) == ["d0", "e0"]
    fail(outbox, "d0", 0, 30, asked=True)
    outbox.settle("editors", "e0", sent=True)
    outbox.add("editors", "e1", due=at(1), queued=NOW)
    hour = 3600
    assert take(outbox, 1 - hour) == []  # noticed: one second went by since the last look
    assert take(outbox, 2 - hour) == ["e1"]
    assert take(outbox, 29 - hour) == []
    assert take(outbox, 32 - hour) == ["d0"]
    assert outbox.wait_s(at(32 - hour), 0, 0.5) == 0.5
