"""Records are read back as they were written; what is not ours is told apart."""

import json
from datetime import UTC, datetime

import pytest

from streams.errors import Malformed, NewerSchema
from streams.records import VERSION, DeadLetter, Flag, Report, Span, decode, encode

REPORT = Report(
    article_id="id",
    revision=2,
    url="https://example.org/1",
    title="هدنة في طرابلس",
    source="s",
    source_name="صحيفة",
    language="ar",
    seen=datetime(2026, 3, 1, 12, 30, 15, 250000, tzinfo=UTC),
    flags=(
        Flag(
            theme="ceasefire",
            development="agreed",
            score=0.9,
            rule="r",
            spans=(Span(field="title", start=0, end=4),),
            quote="هدنة في طرابلس",
        ),
    ),
)


def changed(**fields: object) -> bytes:
    return json.dumps(json.loads(encode(REPORT)) | fields).encode()


def test_a_record_is_read_back_as_it_was() -> None:
    assert decode(Report, encode(REPORT)) == REPORT


def test_the_version_stands_first() -> None:
    assert encode(REPORT).startswith(b'{"v":%d,' % VERSION)


def test_a_field_of_later_days_is_no_matter() -> None:
    assert decode(Report, changed(colour="green")) == REPORT


@pytest.mark.parametrize("fields", [{}, {"title": 7}, {"seen": "yesterday"}])
def test_a_newer_schema_is_told_whatever_else_it_changed(fields: dict[str, object]) -> None:
    with pytest.raises(NewerSchema, match="upgrade"):
        decode(Report, changed(v=VERSION + 1, **fields))


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xfe", b"[]", b"{}", b'{"v":1', changed(title=None), changed(v=VERSION - 2)],
)
def test_what_is_no_record_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(Report, data)


def test_a_record_of_another_kind_is_malformed() -> None:
    with pytest.raises(Malformed, match="no DeadLetter"):
        decode(DeadLetter, encode(REPORT))
