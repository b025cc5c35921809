"""One message for all channels, whatever the article says; each channel's own writing of it."""

import io
import json
import re
from datetime import date, timedelta
from email import charset, message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from justhtml import JustHTML, Text

from alerts.mail import compose, mail_html, mail_text, subject
from alerts.push import written as push_written
from alerts.receivers import EmailOptions
from alerts.render import HEADLINE, ITEMS, PLAIN, Manner, message
from alerts.slack import escape, payload
from alerts.terminal import terminal_text
from alerts.webhook import body as webhook_body
from streams.notices import operator_alert
from streams.records import Alert, Flag, Happened, Line, Quantity, State, StoryPart
from tests.fakes.alerts_bench import NOW, make_alert, make_flag
from tests.fakes.hostile import BIDI_CONTROLS, hostile
from tests.fakes.slack_server import payload_problem

EMAIL = EmailOptions("Rasid <rasid@desk.example>", ("a@desk.example",), "127.0.0.1", 25)


def hostile_alerts() -> st.SearchStrategy[Alert]:
    text = hostile()
    few = st.lists(text, max_size=7).map(tuple)
    quantities = st.builds(
        Quantity, value=st.floats(), unit=text, of=st.none() | text, text=st.just("") | text
    )
    flags = st.builds(
        Flag,
        theme=st.just("oil_field") | text,
        development=st.just("attacked") | text,
        score=st.floats(),
        rule=text,
        status=st.sampled_from(["asserted", "denied", "expected"]),
        spans=st.just(()),
        quote=text,
        speaker=st.none() | text,
        countries=st.lists(st.sampled_from(["LY", "SY", "XX"]) | text, max_size=7).map(tuple),
        places=few,
        quantities=st.lists(quantities, max_size=3).map(tuple),
        happened=st.none()
        | st.builds(
            Happened, day=st.dates(), part=st.sampled_from(["", "dawn", "night"]), text=text
        ),
    )
    state = st.builds(
        State,
        theme=st.just("oil_field") | text,
        development=st.just("attacked") | text,
        denied=st.booleans(),
        since=st.just(NOW),
        article_id=text,
    )
    states = st.lists(state, max_size=4).map(tuple)
    part = st.builds(
        StoryPart,
        story_id=text,
        kind=st.sampled_from(["opened", "changed", "confirmed", "corrected"]),
        headline=text,
        states=states,
        struck=states,
        outlets=few,
        independent=st.integers(0, 300),
        copies=st.integers(0, 300),
    )
    entry = st.builds(
        Line,
        alert_id=text,
        story_id=text,
        title=text,
        url=text | text.map(lambda t: "https://news.example/" + t),
        source_name=text,
        states=states,
        why=st.sampled_from(["muted", "expired"]) | text,
        also=few,
        outlets=st.integers(0, 300),
        copies=st.integers(0, 300),
    )
    around = st.fixed_dictionaries(
        {"stories": st.lists(part, max_size=7).map(tuple)}
    ) | st.fixed_dictionaries(
        {
            "lines": st.lists(entry, min_size=1, max_size=20).map(tuple),
            "kind": st.just("digest"),
            "flags": st.just(()),
            "title": st.just(""),
        }
    )
    return st.builds(
        lambda changes, more: msgspec.structs.replace(make_alert(), **{**changes, **more}),
        st.fixed_dictionaries(
            {
                "title": text,
                "url": text | text.map(lambda t: "https://news.example/" + t),
                "source_name": text,
                "flags": st.lists(flags, min_size=1, max_size=9).map(tuple),
            }
        ),
        around,
    )


hostile_cases = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


# --- the message --------------------------------------------------------------------------


def test_a_message_says_what_where_who_and_when() -> None:
    shown = message(
        make_alert(
            flags=(
                make_flag(
                    places=("حقل الواحة",),
                    speaker="مصدر عسكري",
                    quantities=(
                        Quantity(value=70_000, unit="barrels_per_day"),
                        Quantity(value=2, unit="tanks", text="خزانين"),
                    ),
                ),
            )
        )
    )
    assert shown.summary_ar == "منشآت النفط: هجوم — ليبيا"
    assert shown.summary_en == "Oil installation: attacked — Libya"
    assert shown.headline == "قصف حقل الواحة النفطي a1"
    assert (shown.published, shown.seen) == ("2026-03-01 11:55 UTC", "2026-03-01 12:00 UTC")
    assert (shown.source, shown.score) == ("صحيفة التجربة", 90)
    assert shown.href == "https://news.example/a1"
    (item,) = shown.items
    assert item.quote.startswith("أعلن مصدر عسكري")
    assert item.speaker == "مصدر عسكري"
    assert item.places == "\u2068حقل الواحة\u2069"
    assert item.quantities == "\u206870,000 برميل يوميا / barrels a day\u2069 · \u2068خزانين\u2069"


def test_several_developments_make_one_summary() -> None:
    flags = (
        make_flag(score=0.7),
        make_flag(development="halted", score=0.9),
        make_flag(theme="foreign_force", development="strike", countries=("SY",), score=0.8),
        make_flag(theme="ceasefire", development="called_for", status="called_for", score=0.6),
        make_flag(theme="foreign_force", development="deployed", status="denied", score=0.5),
    )
    shown = message(make_alert(flags=flags))
    assert shown.summary_en == (
        "Oil installation: halted, attacked + Ceasefire: called for + "
        "Foreign force: deployed (denied) — Libya; Foreign force: strike — Syria"
    )
    assert "— ليبيا؛ " in shown.summary_ar
    assert ";" not in shown.summary_ar
    assert shown.score == 90


def test_what_does_not_fit_is_counted() -> None:
    flags = tuple(make_flag(quote=f"جملة {n}") for n in range(ITEMS + 3))
    shown = message(make_alert(flags=flags))
    assert (len(shown.items), shown.more) == (ITEMS, 3)


def test_what_one_sentence_tells_is_shown_with_it_once() -> None:
    flags = (
        make_flag(quote="احترق خزان وتوقف الضخ", places=("السرير",), score=0.9),
        make_flag(quote="وعاد الضخ مساء", development="resumed", score=0.8),
        make_flag(
            quote="احترق خزان وتوقف الضخ",
            development="halted",
            places=("السرير", "مسلة"),
            score=0.7,
        ),
    )
    first, second = message(make_alert(flags=flags), Manner(("en",))).items
    assert first.what == "\u2068Oil installation: attacked, halted\u2069"
    assert first.places == "\u2068السرير\u2069 · \u2068مسلة\u2069"
    assert second.what == "\u2068Oil installation: resumed\u2069"


def test_the_only_outlet_is_named_once() -> None:
    alert = make_alert()
    assert message(alert).outlets == ""
    (part,) = alert.stories
    several = msgspec.structs.replace(part, outlets=(alert.source_name, "وكالة"))
    assert "وكالة" in message(msgspec.structs.replace(alert, stories=(several,))).outlets


def test_a_headline_of_ten_thousand_characters_is_shown_cut() -> None:
    shown = message(make_alert(title="قصف " * 2500))
    assert len(shown.headline) <= HEADLINE
    assert shown.headline.endswith("…")


def test_an_undated_article_and_an_unknown_country_are_shown() -> None:
    alert = make_alert(published=None, flags=(make_flag(countries=("ZZ", "x" * 50)),))
    shown = message(alert)
    assert shown.published == ""
    assert "undated" in mail_text(shown)
    assert "undated" in json.dumps(payload(shown), ensure_ascii=False)


# --- Slack --------------------------------------------------------------------------------


def slack_texts(body: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for block in body["blocks"]:
        found += [block["text"]] if "text" in block else block["elements"]
    return found


def test_slack_gets_blocks_and_a_text_to_fall_back_on() -> None:
    body = payload(message(make_alert()))
    assert [block["type"] for block in body["blocks"]] == [
        "header", "section", "section", "section", "context",
    ]  # fmt: skip
    header, what, quote, link, foot = slack_texts(body)
    assert header == {
        "type": "plain_text",
        "text": "\u2068قصف حقل الواحة النفطي a1\u2069",
        "emoji": False,
    }
    assert what["text"] == (
        "*\u2068منشآت النفط: هجوم — ليبيا\u2069*\n*\u2068Oil installation: attacked — Libya\u2069*"
    )
    assert quote["text"].startswith("\u2068«أعلن")
    assert link["text"] == "<https://news.example/a1|اقرأ الخبر · Read the article>"
    assert "صحيفة التجربة" in foot["text"]
    assert "قصف حقل الواحة" in body["text"]
    assert body["unfurl_links"] is False


def test_slack_cannot_be_pinged_or_linked_from_a_headline() -> None:
    title = "<!channel> <@U1> <http://evil.example|bank> & @here"
    body = payload(message(make_alert(title=title, flags=(make_flag(quote=title),))))
    written = json.dumps(body, ensure_ascii=False)
    for attack in ("<!channel>", "<@U1>", "<http://evil"):
        assert attack not in written
    assert "&lt;!channel&gt;" in written
    assert "evil.example" not in "".join(
        text["text"] for text in slack_texts(body) if text["type"] == "mrkdwn"
    )


def test_an_address_that_is_no_link_is_shown_as_text() -> None:
    body = payload(message(make_alert(url="javascript:alert(1)")))
    assert not [t for t in slack_texts(body) if "Read the article" in t["text"]]
    assert [t for t in slack_texts(body) if "javascript:alert(1)" in t["text"]]


@hostile_cases
@given(hostile_alerts())
def test_slack_takes_whatever_comes_and_nothing_in_it_acts(alert: Alert) -> None:
    body = payload(message(alert))
    assert payload_problem(body) is None
    json.dumps(body).encode()
    for text in [body["text"], *(t["text"] for t in slack_texts(body))]:
        bare = re.sub(r"^<(https?://[^<>|\s]+)\|اقرأ الخبر · Read the article>$", "", text)
        assert "<" not in bare
        assert ">" not in bare
        assert re.search(r"&(?!(amp|lt|gt);)", bare) is None
        assert not (BIDI_CONTROLS - {"\u2068", "\u2069"}) & set(text)


def test_escaping_never_tears_an_entity() -> None:
    body = payload(message(make_alert(title="&" * 500)))
    header = body["blocks"][0]["text"]["text"]
    assert len(header) <= 150
    assert header.replace("&amp;", "") == "\u2068…\u2069"
    assert escape("<&>") == "&lt;&amp;&gt;"


# --- mail ---------------------------------------------------------------------------------


def parsed(alert: Alert) -> EmailMessage:
    mail = message_from_bytes(
        compose(alert, "desk", EMAIL).as_bytes(), policy=policy.SMTP + policy.strict
    )
    assert isinstance(mail, EmailMessage)
    assert not mail.defects
    return mail


def test_a_mail_has_both_forms_and_its_headers() -> None:
    mail = parsed(make_alert())
    assert mail["Subject"] == "قصف حقل الواحة النفطي a1 — منشآت النفط: هجوم — ليبيا"
    assert mail["Message-ID"] == f"<{make_alert().id}.alert@desk.example>"
    assert mail["Date"].datetime == NOW
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Id"] == "Rasid <desk.rasid.desk.example>"
    assert mail["From"] == "Rasid <rasid@desk.example>"
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    for piece in ("منشآت النفط: هجوم", "قصف حقل الواحة", "«أعلن مصدر", "https://news.example/a1"):
        assert piece in text


def html5(page: str) -> JustHTML:
    """The page as a browser reads it; what is not well-formed raises."""
    return JustHTML(page, sanitize=False, strict=True)


def test_the_html_runs_from_right_to_left() -> None:
    page = html5(mail_html(message(make_alert())))
    (root,) = page.query("html")
    assert (root.attrs["dir"], root.attrs["lang"]) == ("rtl", "ar")
    assert [a.attrs["href"] for a in page.query("a")] == ["https://news.example/a1"] * 2
    assert not page.query("script, img, link, iframe, form")


def test_an_english_headline_keeps_its_direction() -> None:
    page = html5(mail_html(message(make_alert(title="Oil field hit"))))
    cells = [cell for cell in page.query("td") if not cell.query("td")]
    (cell,) = [cell for cell in cells if "Oil field hit" in cell.to_text()]
    assert cell.attrs["dir"] == "ltr"


def test_the_subject_is_one_line_even_if_the_headline_is_not() -> None:
    mail = parsed(make_alert(title="خبر\r\nBcc: all@example.org\r\n\r\nbody"))
    assert mail["Bcc"] is None
    assert "Bcc: all@example.org" in mail["Subject"]


def test_a_mail_is_base64_whatever_a_library_did_to_the_process() -> None:
    before = charset.CHARSETS["utf-8"]
    charset.add_charset("utf-8", charset.QP, charset.QP, "utf-8")  # as Apprise does
    try:
        parts = compose(make_alert(), "desk", EMAIL).get_payload()
    finally:
        charset.CHARSETS["utf-8"] = before
    assert [part["Content-Transfer-Encoding"] for part in parts] == ["base64", "base64"]  # type: ignore[union-attr,index]


@hostile_cases
@given(hostile_alerts())
def test_a_mail_is_well_formed_whatever_comes(alert: Alert) -> None:
    shown = message(alert)
    mail = parsed(alert)
    assert set(mail.keys()) == {
        "Subject", "From", "To", "Date", "Message-ID", "List-Id", "Auto-Submitted",
        "X-Auto-Response-Suppress", "MIME-Version", "Content-Type",
    }  # fmt: skip
    assert str(mail["Subject"]) == subject(shown)
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert text.splitlines() == mail_text(shown).splitlines()
    page = html5(mail_html(shown))
    assert {element.name for element in page.query("*")} <= {
        "html", "head", "meta", "title", "style", "body", "table", "tr", "td", "span", "br", "a",
        "tbody",
    }  # fmt: skip
    assert not [n for e in page.query("*") for n in e.attrs if n.lower().startswith("on")]
    assert {a.attrs["href"] for a in page.query("a")} <= {
        shown.href, *(entry.href for entry in shown.entries),
    }  # fmt: skip
    told = "\n".join(
        node.data for e in page.query("*") for node in e.children if isinstance(node, Text)
    )
    for headline in [entry.headline for entry in shown.entries] or [shown.headline]:
        assert headline in told


# --- terminal -----------------------------------------------------------------------------


@hostile_cases
@given(hostile_alerts())
def test_a_webhook_gets_clean_text_whatever_comes(alert: Alert) -> None:
    data = msgspec.json.encode(webhook_body(alert, PLAIN))
    parsed_body = json.loads(data)
    for text in strings(parsed_body):
        assert not [c for c in text if ord(c) < 32 or 0x7F <= ord(c) < 0xA0]
        assert not BIDI_CONTROLS & set(text.replace("\u2068", "").replace("\u2069", ""))
        assert len(text) <= 2000 or text.startswith("http")
    urls = [parsed_body["article"] or {}, *parsed_body["lines"]]
    assert all(not each.get("url") or each["url"].startswith("http") for each in urls)


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inside = value.values() if isinstance(value, dict) else value
    return [t for each in inside for t in strings(each)] if isinstance(value, (dict, list)) else []


@hostile_cases
@given(hostile_alerts())
def test_what_is_pushed_mentions_nobody_and_links_only_the_article(alert: Alert) -> None:
    shown = message(alert)
    title, text = push_written(shown)
    text.encode()
    assert "\n" not in title
    for href in {shown.href, *(entry.href for entry in shown.entries)} - {None}:
        text = text.replace(str(href), "")
    for part in (title, text):
        assert re.search(r"@\w|<[!@#h]|\]\(|://|\w\.[A-Za-z]", part) is None
        assert not (BIDI_CONTROLS - {"\u2068", "\u2069"}) & set(part)


def test_the_articles_address_is_pushed_whole() -> None:
    shown = message(make_alert(url="https://news.example/@desk/a1.html", title="@everyone"))
    title, text = push_written(shown)
    assert "https://news.example/@desk/a1.html" in text
    assert "@everyone" not in title + text


@hostile_cases
@given(hostile_alerts())
def test_the_terminal_gets_no_control_character(alert: Alert) -> None:
    text = terminal_text(message(alert)).plain
    assert not [c for c in text if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0]
    assert not (BIDI_CONTROLS - {"\u2068", "\u2069"}) & set(text)


@pytest.mark.parametrize("published", [NOW, None, NOW - timedelta(days=400)])
def test_the_terminal_shows_the_headline_whole(published: Any) -> None:
    text = terminal_text(message(make_alert(published=published))).plain
    assert "\u2068قصف حقل الواحة النفطي a1\u2069" in text
    assert io.StringIO(text).read().count("\n") >= 4


def test_a_digest_names_the_stories_most_told_and_counts_the_rest() -> None:
    halted = State(theme="oil_field", development="halted", since=NOW, article_id="a")

    def line(n: int) -> Line:
        return Line(
            alert_id=f"alert{n}", story_id=f"s{n}", title=f"news {n}", url="https://news.example/",
            source_name="desk", independent=3 if n == 29 else 1, outlets=n, copies=n,
            states=(halted,), countries=("LY", "SD"),
        )  # fmt: skip

    alert = msgspec.structs.replace(
        make_alert(), kind="digest", title="", flags=(), lines=tuple(map(line, range(30)))
    )
    shown = message(alert, Manner(("en",)))
    assert [entry.headline for entry in shown.entries[-2:]] == ["news 18", "news 29"]
    assert (len(shown.entries), shown.more) == (20, 10)
    assert shown.entries[-1].tellers.strip("\u2068\u2069").startswith("29 outlets, copies: 29")
    assert shown.entries[1].tellers == ""
    assert shown.entries[0].summary == "\u2068Oil installation: halted — Libya, Sudan\u2069"
    assert subject(shown) == "Digest: 30 reports — news 0"
    assert payload_problem(payload(shown)) is None
    assert all("+10" in text for text in (mail_html(shown), mail_text(shown)))


def test_when_it_happened_is_told_in_the_receiver_s_words_and_the_source_s() -> None:
    happened = Happened(day=date(2026, 3, 3), part="dawn", text="فجر الثلاثاء")
    alert = make_alert(flags=(make_flag(happened=happened),))
    english = message(alert, Manner(("en",), "Asia/Tokyo")).items[0].when
    assert (
        english == "\u2068Tuesday \u20682026-03-03\u2069, at dawn\u2069 \u2068«فجر الثلاثاء»\u2069"
    )
    arabic = message(alert, Manner(("ar",))).items[0].when
    assert arabic.startswith("\u2068الثلاثاء \u20682026-03-03\u2069، فجرا\u2069")
    assert message(make_alert()).items[0].when == ""
    assert "Happened, as told" in mail_html(message(alert))


def test_a_notice_has_no_score_and_no_date_that_it_cannot_have() -> None:
    notice = operator_alert("feed/a", "feed a answers 500", since=NOW)
    shown = message(notice, Manner(("en",)))
    forms = (mail_html(shown), mail_text(shown), terminal_text(shown).plain)
    for form in (*forms, json.dumps(payload(shown))):
        assert "feed a answers 500" in form
        assert not re.search(r"\b0%", form)
        assert "undated" not in form
        assert " ·  · " not in form
    assert "Address" not in mail_text(shown)


def test_what_a_development_says_of_itself_is_not_said_twice() -> None:
    called = make_flag(theme="foreign_force", development="withdrawal_called", status="called_for")
    shown = message(make_alert(flags=(called,)), Manner(("en",)))
    assert shown.summary_en == "Foreign force: withdrawal called for — Libya"
    denied = msgspec.structs.replace(called, status="denied")
    assert "(denied)" in message(make_alert(flags=(denied,)), Manner(("en",))).summary_en
