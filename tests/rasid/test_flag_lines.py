"""`rasid flag --jsonl`: a line in, a line out, in order; spans point into the raw strings."""

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from processors.flagger import Flagger, load_flagger
from rasid.cli import app
from rasid.cli.flag import flag_lines, split_headline
from rasid.cli.log import _line
from streams.log import Message

TRUCE = "أعلن المبعوث الأممي إلى ليبيا أن طرفي القتال وقّعا اتفاقاً لوقف إطلاق النار في سرت."


@pytest.fixture(scope="module")
def flagger() -> Flagger:
    return load_flagger()


def run(flagger: Flagger, *lines: bytes | dict[str, Any]) -> tuple[bool, list[Any], str]:
    out, errors = io.StringIO(), io.StringIO()
    raw = [x if isinstance(x, bytes) else json.dumps(x).encode() + b"\n" for x in lines]
    good = flag_lines(flagger, raw, out, errors)
    return good, [json.loads(line) for line in out.getvalue().splitlines()], errors.getvalue()


def test_other_keys_come_out_untouched_and_in_order(flagger: Flagger) -> None:
    good, rows, errors = run(
        flagger, {"n": 1, "text": TRUCE, "x": {"y": [1.5, None, "é"]}}, {"n": 2, "text": "نص عادي."}
    )
    assert (good, errors) == (True, "")
    assert [r["n"] for r in rows] == [1, 2]
    assert rows[0]["x"] == {"y": [1.5, None, "é"]}
    assert rows[1]["flags"] == []
    (found,) = rows[0]["flags"]
    assert found["theme"] == "ceasefire"
    assert found["development"] == "agreed"
    assert {"score", "rule", "spans", "quote"} <= found.keys()
    assert found["quote"] in TRUCE
    for span in found["spans"]:
        assert span["field"] == "text"
        assert TRUCE[span["start"] : span["end"]].strip()


def test_spans_count_in_the_text_the_line_gave_even_where_its_first_line_is_the_headline(
    flagger: Flagger,
) -> None:
    headline = "اتفاق على وقف إطلاق النار في سرت"
    text = f"\n{headline}\n{TRUCE}\n"
    _, rows, _ = run(flagger, {"text": text}, {"title": headline, "text": TRUCE})
    apart = {
        (s["field"], (TRUCE if s["field"] == "text" else headline)[s["start"] : s["end"]])
        for f in rows[1]["flags"]
        for s in f["spans"]
    }
    assert {field for field, _ in apart} == {"title", "text"}
    together = {text[s["start"] : s["end"]] for f in rows[0]["flags"] for s in f["spans"]}
    assert together == {word for _, word in apart}
    assert {s["field"] for f in rows[0]["flags"] for s in f["spans"]} == {"text"}


def test_a_bad_line_is_answered_in_its_place_and_the_rest_goes_on(flagger: Flagger) -> None:
    good, rows, errors = run(
        flagger,
        b"{not json}\n",
        b'{"text": "\xff"}\n',
        b"[1]\n",
        {"title": "no text"},
        {"text": 5},
        b"\n",
        b"[" * 100_000 + b"\n",
        {"n": 8, "text": TRUCE},
    )
    assert not good
    assert [sorted(r) for r in rows[:7]] == [["error"]] * 7
    assert [row["error"].split(":")[0] for row in rows[:7]] == [f"line {i}" for i in range(1, 8)]
    assert [line.split(":")[1] for line in errors.splitlines()] == [
        f" line {i}" for i in range(1, 8)
    ]
    assert rows[7]["n"] == 8
    assert rows[7]["flags"]


def raw(flagger: Flagger, line: str) -> str:
    out = io.StringIO()
    assert flag_lines(flagger, [line.encode()], out, io.StringIO())
    return out.getvalue()


@pytest.mark.parametrize(
    "line",
    [
        '{"n": 1e400, "m": -0.0, "o": 1.10, "p": 12345678901234567890123, "text": "a"}',
        '{ "text":"a\\u0628" ,"n":1E5}',
        '{"text": "a", "big": ' + "7" * 5000 + "}",
        '{"text": "a", "text": "b", "k": "\\/"}',
    ],
)
def test_what_the_object_holds_comes_out_as_it_was_written(flagger: Flagger, line: str) -> None:
    assert raw(flagger, line + "\r\n") == line[:-1] + ', "flags": []}\n'


def test_flags_that_the_object_had_are_replaced(flagger: Flagger) -> None:
    given = '{"flags": [1, {"a": "}"}], "n": 1e400, "text": "a" , "flags":2 }'
    assert raw(flagger, given) == '{"n": 1e400, "text": "a", "flags": []}\n'
    assert raw(flagger, '{"text": "a", "flags": 0}') == '{"text": "a", "flags": []}\n'


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_what_json_has_not_is_a_bad_line(flagger: Flagger, constant: str) -> None:
    good, rows, _ = run(flagger, f'{{"text": "a", "n": {constant}}}\n'.encode())
    assert not good
    assert rows == [{"error": f"line 1: is not JSON: {constant} is no number"}]


def test_no_reader_finds_the_end_of_a_line_inside_one(flagger: Flagger) -> None:
    text = f"{TRUCE}\u2028{TRUCE}\x85{TRUCE}\u2029"
    line = json.dumps({"text": text, "k": "\u2028"}, ensure_ascii=False)
    (out,) = raw(flagger, line.replace(", ", ",\r")).splitlines()
    assert json.loads(out)["text"] == text
    assert json.loads(out)["k"] == "\u2028"
    message = Message("rasid.flags", 0, 1, "k", datetime.now(UTC), text.encode())
    assert len(_line(message).splitlines()) == 1


def test_a_mark_of_byte_order_before_the_first_line_is_none_of_its_text(flagger: Flagger) -> None:
    good, rows, _ = run(flagger, b'\xef\xbb\xbf{"text": "a"}\n', b'\xef\xbb\xbf{"text": "a"}\n')
    assert not good
    assert [list(row) for row in rows] == [["text", "flags"], ["error"]]


def test_an_address_is_no_file_of_lines() -> None:
    result = CliRunner().invoke(app, ["flag", "--jsonl", "https://a.example/x.jsonl"])
    assert result.exit_code == 2
    assert "files and standard input" in result.output


def test_a_lone_surrogate_comes_out_as_it_came(flagger: Flagger) -> None:
    good, rows, _ = run(flagger, b'{"text": "a \\ud800 b", "k": "\\udfff"}\n')
    assert good
    assert rows == [{"text": "a \ud800 b", "k": "\udfff", "flags": []}]


@pytest.mark.parametrize(
    ("text", "headline", "body"),
    [
        ("one line", "", "one line"),
        ("head\nbody", "head", "body"),
        ("\r\nhead\r\nbody", "head\r", "body"),
        ("x" * 160 + "\nbody", "", "x" * 160 + "\nbody"),
        ("head\n\n", "", "head\n\n"),
        ("", "", ""),
    ],
)
def test_the_first_line_is_the_headline_when_short_and_not_alone(
    text: str, headline: str, body: str
) -> None:
    assert split_headline(text) == (headline, body)


def test_when_it_happened_is_told_where_it_is_known_when_the_article_was_published(
    flagger: Flagger,
) -> None:
    text = "قصفت طائرة مسيّرة حقل الظهرة النفطي فجر الثلاثاء في ليبيا."
    row = {"title": "قصف حقل الظهرة", "text": text, "country": "LY"}
    _, rows, _ = run(flagger, {**row, "published": "2026-03-04T09:00:00Z"}, row)
    told = [[found["happened"] for found in each["flags"]] for each in rows]
    assert told[0][0] == {"day": "2026-03-03", "part": "dawn", "text": "فجر الثلاثاء"}
    assert set(map(str, told[1])) == {"None"}
