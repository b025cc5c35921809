"""What is due when."""

from datetime import UTC, datetime, timedelta

from collectors.agenda import Agenda

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_what_is_due_is_taken_once_the_earliest_first() -> None:
    agenda = Agenda()
    for key, seconds in (("c", 30), ("a", 10), ("b", 20), ("later", 100)):
        agenda.put(key, after(seconds))
    assert list(agenda.take(after(30))) == ["a", "b", "c"]
    assert list(agenda.take(after(30))) == []
    assert agenda.next_due() == after(100)
    assert len(agenda) == 1


def test_a_key_moved_or_dropped_leaves_nothing_behind() -> None:
    agenda = Agenda()
    agenda.put("a", after(10))
    agenda.put("a", after(50))
    agenda.put("b", after(5))
    agenda.drop("b")
    assert agenda.next_due() == after(50)
    assert list(agenda.take(after(20))) == []
    assert list(agenda.take(after(50))) == ["a"]
    assert agenda.next_due() is None


def test_a_clock_set_back_by_an_hour_stops_nothing() -> None:
    agenda = Agenda()
    agenda.put("a", after(60))
    assert list(agenda.take(NOW)) == []
    assert list(agenda.take(after(-3600))) == []
    assert list(agenda.take(after(-3540))) == ["a"]
