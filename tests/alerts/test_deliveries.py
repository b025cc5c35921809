"""What an attempt means for the delivery's row."""

from datetime import timedelta

import msgspec
import pytest

from alerts.channel import Receipt
from alerts.deliveries import conclude, dead_letter
from alerts.errors import SendError
from streams.records import Alert, Delivery, decode
from tests.fakes.alerts_bench import NOW, make_alert

PENDING = Delivery(alert=make_alert(), updated=NOW, queued=NOW)
LATER = NOW + timedelta(seconds=5)


def test_a_message_taken_is_sent_with_its_reference() -> None:
    concluded = conclude(PENDING, Receipt(reference="17.5"), LATER)
    row = concluded.delivery
    assert (row.status, row.attempts, row.reference, row.updated) == ("sent", 1, "17.5", LATER)
    assert (concluded.outcome, concluded.due, concluded.well) == ("sent", None, True)


def test_one_of_two_refused_is_sent_and_says_so() -> None:
    concluded = conclude(PENDING, Receipt(done=("a",), refused=("b",), error="b: 550"), LATER)
    row = concluded.delivery
    assert (row.status, row.reason, row.done, row.refused, row.error) == (
        "sent", "refused", ("a",), ("b",), "b: 550",
    )  # fmt: skip
    assert concluded.refused == 1


def test_all_refused_is_dead() -> None:
    concluded = conclude(PENDING, Receipt(refused=("a", "b"), error="no"), LATER)
    assert (concluded.delivery.status, concluded.delivery.reason) == ("dead", "refused")


def test_who_waits_is_tried_again_and_who_has_it_is_kept() -> None:
    first = conclude(PENDING, Receipt(done=("a",), waiting=("b",), error="b: 451"), LATER)
    assert (first.outcome, first.delivery.status, first.well) == ("retried", "pending", True)
    assert first.due is not None
    assert first.due > LATER
    second = conclude(first.delivery, Receipt(done=("b",)), LATER)
    assert (second.delivery.status, second.delivery.done) == ("sent", ("a", "b"))
    assert second.delivery.error is None
    other = conclude(first.delivery, Receipt(refused=("b",), error="b: 550"), LATER)
    assert (other.delivery.status, other.delivery.refused) == ("sent", ("b",))


def test_nobody_took_it_yet_is_no_sign_of_health() -> None:
    concluded = conclude(PENDING, Receipt(waiting=("a", "b"), error="451"), LATER)
    assert (concluded.outcome, concluded.well) == ("retried", False)


@pytest.mark.parametrize("asked", [None, 0.0, 30.0])
def test_what_may_succeed_later_is_due_when_asked_or_after_a_backoff(asked: float | None) -> None:
    error = SendError("busy", reason="rate_limited", retryable=True, retry_after_s=asked)
    concluded = conclude(PENDING, error, LATER)
    row = concluded.delivery
    assert (row.status, row.attempts, row.reason, row.error) == (
        "pending", 1, "rate_limited", "busy",
    )  # fmt: skip
    assert concluded.due is not None
    wait_s = (concluded.due - LATER).total_seconds()
    assert wait_s == asked if asked is not None else 0.8 <= wait_s <= 1.2
    assert concluded.asked == (asked is not None)


def test_what_cannot_succeed_is_dead_and_its_letter_holds_the_alert() -> None:
    concluded = conclude(PENDING, SendError("no such channel", reason="not_found"), LATER)
    assert (concluded.delivery.status, concluded.due) == ("dead", None)
    letter = dead_letter(concluded.delivery, LATER)
    assert (letter.stage, letter.cause, letter.key) == ("alert", "undeliverable", "desk")
    assert letter.error == "not_found: no such channel"
    assert decode(Alert, letter.value.encode()) == PENDING.alert


def test_attempts_add_up() -> None:
    row = msgspec.structs.replace(PENDING, attempts=4)
    error = SendError("away", reason="unavailable", retryable=True)
    assert conclude(row, error, LATER).delivery.attempts == 5
