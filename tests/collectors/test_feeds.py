"""Feeds as they come: every dialect, damaged, mislabelled, hostile."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.errors import FetchError
from collectors.feeds import MAX_ENTRIES, MAX_TITLE, ParsedFeed, parse_feed, plain_line

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
URL = "https://paper.example/news/feed.xml"


def parse(body: bytes | str, content_type: str = "application/rss+xml") -> ParsedFeed:
    data = body.encode() if isinstance(body, str) else body
    return parse_feed(data, url=URL, content_type=content_type, now=NOW)


def refused(body: bytes | str, content_type: str = "application/rss+xml") -> FetchError:
    with pytest.raises(FetchError) as raised:
        parse(body, content_type)
    assert URL in str(raised.value)
    assert raised.value.url == URL
    return raised.value


def rss(*items: str, head: str = "", declaration: str = '<?xml version="1.0"?>') -> str:
    return (
        f"{declaration}\n"
        '<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"'
        ' xmlns:feedburner="http://rssnamespace.org/feedburner/ext/1.0">'
        f"<channel><title>صحيفة</title><link>https://paper.example/</link>{head}"
        f"{''.join(items)}</channel></rss>"
    )


def item(number: int = 1, extra: str = "", title: str = "خبر من الميناء") -> str:
    return f"<item><title>{title}</title><link>https://paper.example/{number}</link>{extra}</item>"


# --- dialects ------------------------------------------------------------------------------


def test_an_rss_entry_whole() -> None:
    feed = parse(
        rss(
            item(
                7,
                "<guid>https://paper.example/?p=7</guid>"
                "<dc:creator><![CDATA[ سعاد الطرابلسي ]]></dc:creator>"
                "<pubDate>الجمعة 20 نوفمبر/تشرين الثاني 2026 - 10:30</pubDate>"
                "<description>مقدمة</description>"
                "<content:encoded><![CDATA[<p>النص <b>كله</b> هنا</p>]]></content:encoded>",
            ),
            head="<language>ar-LY</language><ttl>30</ttl>",
        )
    )
    (entry,) = feed.entries
    assert entry.url == "https://paper.example/7"
    assert entry.title == "خبر من الميناء"
    assert entry.summary == "<p>النص <b>كله</b> هنا</p>"
    assert entry.authors == ("سعاد الطرابلسي",)
    assert entry.published == datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
    assert entry.guid == "https://paper.example/?p=7"
    assert (feed.language, feed.ttl_s, feed.dropped) == ("ar", 1800.0, ())


def test_an_atom_entry_by_its_alternate_link_and_xml_base() -> None:
    feed = parse(
        '<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="ar" xml:base="https://b.example/x/">'
        "<entry><title type='html'>&lt;b&gt;خبر&lt;/b&gt;</title>"
        '<link rel="self" href="self"/><link rel="alternate" href="story"/>'
        "<id>tag:b.example,2026:1</id><updated>2026-11-20T10:00:00+03:00</updated>"
        "<author><name>سعاد</name></author>"
        '<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>نص</p></div></content>'
        "</entry></feed>"
    )
    (entry,) = feed.entries
    assert entry.url == "https://b.example/x/story"
    assert entry.title == "خبر"
    assert "<p>نص</p>" in entry.summary
    assert entry.published == datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
    assert feed.language == "ar"


def test_rss_1_in_rdf() -> None:
    feed = parse(
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
        ' xmlns="http://purl.org/rss/1.0/"><channel rdf:about="https://p.example/"/>'
        '<item rdf:about="https://p.example/1"><title>خبر</title>'
        "<link>https://p.example/1</link></item></rdf:RDF>"
    )
    assert [entry.url for entry in feed.entries] == ["https://p.example/1"]


def test_json_feed() -> None:
    feed = parse(
        '{"version": "https://jsonfeed.org/version/1.1", "language": "ar", "items": ['
        '{"id": "1", "url": "/1", "title": "خبر", "content_text": "5 < 6",'
        ' "date_published": "2026-11-20T10:00:00Z", "authors": [{"name": "سعاد"}]}, {"id": "2"}]}',
        "application/feed+json",
    )
    (entry,) = feed.entries
    assert (entry.url, entry.summary) == ("https://paper.example/1", "5 &lt; 6")
    assert entry.authors == ("سعاد",)
    assert entry.published == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert feed.dropped == (("no_link", "2"),)
    assert refused('{"items": []}').reason == "not_a_feed"
    assert refused('{"version": ').reason == "not_a_feed"


def test_a_feed_without_entries_is_a_feed() -> None:
    assert parse(rss()).entries == ()


# --- links, titles, texts ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ("<link>/a/1</link>", "https://paper.example/a/1"),
        ("<link>2?x=1&amp;y=2</link>", "https://paper.example/news/2?x=1&y=2"),
        ("<link>\n https://p.example/1 \n</link>", "https://p.example/1"),
        ("<link><![CDATA[https://p.example/1]]></link>", "https://p.example/1"),
        ("<link>https://p.example/خبر جديد</link>", "https://p.example/خبر%20جديد"),
        ("<guid>https://p.example/9</guid>", "https://p.example/9"),
        ("<guid isPermaLink='false'>https://p.example/9</guid>", "https://p.example/9"),
        (
            "<link>https://feeds.example/~r/1</link>"
            "<feedburner:origLink>https://p.example/1</feedburner:origLink>",
            "https://p.example/1",
        ),
        ("<link></link><guid>https://p.example/9</guid>", "https://p.example/9"),
        ("<link>javascript:alert(1)</link><guid>https://p.example/9</guid>", "https://p.example/9"),
    ],
)
def test_where_an_entry_leads(links: str, expected: str) -> None:
    (entry,) = parse(rss(f"<item><title>خبر</title>{links}</item>")).entries
    assert entry.url == expected


@pytest.mark.parametrize(
    "links",
    [
        "", "<guid>tag:1</guid>", "<guid isPermaLink='false'>17</guid>",
        "<link>mailto:a@b.c</link>", "<link>http://[</link>", "<link>file:///etc/passwd</link>",
    ],
)  # fmt: skip
def test_an_entry_without_an_address_is_dropped_and_told(links: str) -> None:
    feed = parse(rss(f"<item><title>خبر بلا عنوان</title>{links}</item>", item(2)))
    assert [entry.url for entry in feed.entries] == ["https://paper.example/2"]
    assert feed.dropped == (("no_link", "خبر بلا عنوان"),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("خبر &amp;quot;عاجل&amp;quot; &amp;#8211; ليبيا", 'خبر "عاجل" – ليبيا'),
        ("&lt;b&gt;خبر&lt;/b&gt;&lt;br/&gt;عاجل", "خبر عاجل"),
        ("<![CDATA[خبر <i class='x'>عاجل</i> &amp; مهم]]>", "خبر عاجل & مهم"),
        ("نسبة &lt; 5 و &gt; 3", "نسبة < 5 و > 3"),
        ("  خبر\n\tعلى   سطرين&#160; ", "خبر على سطرين"),
        ("AT&amp;T &amp;amp; شركاه", "AT&T & شركاه"),
    ],
)
def test_titles_become_plain_text(text: str, expected: str) -> None:
    assert parse(rss(item(title=text))).entries[0].title == expected


def test_a_headline_of_ten_thousand_characters_is_cut() -> None:
    title = parse(rss(item(title="خبر طويل " * 1_200))).entries[0].title
    assert len(title) <= MAX_TITLE
    assert title.endswith("…")


def test_titles_cost_linear_time() -> None:
    for piece in ("<a ", "&amp;", "<b>", "&lt;" * 3, "<a href=" + "x" * 1_990):
        began = time.thread_time()
        plain_line(piece * 100_000)
        assert time.thread_time() - began < 2  # quadratic, it would be minutes


def test_the_longest_text_is_kept_as_it_is() -> None:
    script = "<content:encoded><![CDATA[<script>x</script><a href='/y'>z</a>]]></content:encoded>"
    (entry,) = parse(rss(item(1, "<description>d</description>" + script))).entries
    assert entry.summary == "<script>x</script><a href='/y'>z</a>"  # neither cleaned nor resolved


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (
            "<pubDate>Fri, 20 Nov 2026 10:00:00 +0300</pubDate>",
            datetime(2026, 11, 20, 7, tzinfo=UTC),
        ),
        (
            "<pubDate>غير معروف</pubDate><dc:date>2026-11-19</dc:date>",
            datetime(2026, 11, 19, tzinfo=UTC),
        ),
        ("<pubDate>Fri, 20 Nov 2099 10:00:00 GMT</pubDate>", None),
        ("<pubDate></pubDate>", None),
        ("", None),
    ],
)
def test_dates_are_read_or_not_believed(dates: str, expected: datetime | None) -> None:
    assert parse(rss(item(1, dates))).entries[0].published == expected


def test_authors_are_names_each_once() -> None:
    extra = (
        "<author>desk@paper.example (سعاد)</author><dc:creator>سعاد</dc:creator>"
        "<dc:creator>news@paper.example</dc:creator><dc:creator>علي</dc:creator>"
    )
    assert parse(rss(item(1, extra))).entries[0].authors == ("سعاد", "علي")


@pytest.mark.parametrize(
    ("head", "ttl_s"),
    [
        ("<ttl>15</ttl>", 900.0),
        ("<ttl>soon</ttl>", None),
        ("<ttl>0</ttl>", None),
        ("<sy:updatePeriod>hourly</sy:updatePeriod>", 3600.0),
        (
            "<sy:updatePeriod> hourly </sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency>",
            900.0,
        ),
        ("<sy:updateFrequency>2</sy:updateFrequency>", 43200.0),
        ("<sy:updatePeriod>often</sy:updatePeriod>", None),
        ("", None),
    ],
)
def test_how_long_it_asks_to_be_left_alone(head: str, ttl_s: float | None) -> None:
    assert parse(rss(item(), head=head)).ttl_s == ttl_s


def test_of_many_entries_the_first_two_thousand() -> None:
    feed = parse(rss(*(item(number) for number in range(MAX_ENTRIES + 5))))
    assert len(feed.entries) == MAX_ENTRIES
    assert feed.dropped[0][0] == "too_many"


# --- encodings -----------------------------------------------------------------------------

TITLE = "قوات تنسحب من محيط حقل الشرارة – «مصدر»"
FRENCH = "Le Président a été reçu à Genève, où il a évoqué l’été"


@pytest.mark.parametrize("content_type", ["text/xml", "text/xml; charset=utf-8", ""])
@pytest.mark.parametrize("declared", ["", ' encoding="utf-8"', ' encoding="UTF-8"'])
def test_windows_1256_that_says_utf_8_or_nothing(declared: str, content_type: str) -> None:
    text = rss(item(title=TITLE), declaration=f'<?xml version="1.0"{declared}?>')
    assert parse(text.encode("cp1256"), content_type).entries[0].title == TITLE


@pytest.mark.parametrize(
    ("written", "declared", "title"),
    [
        ("cp1256", "windows-1256", TITLE),
        ("cp1256", "iso-8859-1", TITLE),
        ("cp1256", "iso-8859-6", TITLE),
        ("cp1256", "no-such-thing", TITLE),
        ("cp1256", "rot13", TITLE),
        ("iso8859_6", "iso-8859-6", "قوات تنسحب من محيط حقل الشرارة"),
        ("utf-8", "windows-1256", TITLE),
        ("utf-8", "iso-8859-1", TITLE),
        ("utf-16", "utf-16", TITLE),
        ("utf-16-le", "utf-16", TITLE),
        ("utf-8-sig", "utf-8", TITLE),
        ("cp1252", "iso-8859-1", FRENCH),
        ("cp1252", "utf-8", FRENCH),
    ],
)
def test_what_is_declared_wrongly_is_still_read(written: str, declared: str, title: str) -> None:
    text = rss(item(title=title), declaration=f'<?xml version="1.0" encoding="{declared}"?>')
    text = text.replace("صحيفة", "Journal") if title == FRENCH else text
    assert parse(text.encode(written)).entries[0].title == title


def test_a_broken_byte_in_utf_8_spoils_one_character() -> None:
    body = rss(*(item(n, title=TITLE) for n in range(20))).encode()
    position = body.rindex("حقل".encode()) + 1
    feed = parse(body[:position] + b"\xff" + body[position + 1 :])
    assert [entry.title for entry in feed.entries[:19]] == [TITLE] * 19
    assert feed.entries[19].title.startswith("قوات تنسحب من محيط ")


@pytest.mark.parametrize("declared", ["", ' encoding="utf-8"', ' encoding="windows-1256"'])
@pytest.mark.parametrize("cut", [23, 60, 119])
def test_summaries_cut_inside_a_letter_spoil_nothing_else(declared: str, cut: int) -> None:
    """As PHP's substr cuts them: by bytes."""
    summary = "قالت مصادر محلية إن القوات انسحبت من محيط الحقل بعد أيام من القتال العنيف".encode()
    assert summary[:cut].decode("utf-8", "ignore").encode() != summary[:cut]
    entries = b"".join(
        item(n, "<description>CUT</description>", TITLE).encode().replace(b"CUT", summary[:cut])
        for n in range(20)
    )
    body = rss("ITEMS", declaration=f'<?xml version="1.0"{declared}?>').encode()
    feed = parse(body.replace(b"ITEMS", entries))
    assert [entry.title for entry in feed.entries] == [TITLE] * 20
    whole = summary[:cut].decode("utf-8", "ignore")
    assert {entry.summary.rstrip("\ufffd") for entry in feed.entries} == {whole}


def test_where_utf_8_is_declared_half_the_words_may_be_broken() -> None:
    broken = b"\xd9\x82\xd9 " * 30 + "قال ".encode() * 20
    text = "<description>CUT</description>"
    body = rss(item(1, text, "خبر"), declaration='<?xml version="1.0" encoding="UTF-8"?>').encode()
    assert parse(body.replace(b"CUT", broken)).entries[0].title == "خبر"


def test_nothing_unprintable_comes_out() -> None:
    text = rss(
        item(1, "<description>a\x0bb&#0;c&#xD800;d\x00e</description>", "خ\x00ب&#xDFFF;ر \x1b[31m")
    )
    (entry,) = parse(text).entries
    for value in (entry.title, entry.summary, entry.url, entry.guid):
        value.encode("utf-8")
        assert not any(char < " " for char in value)


# --- what is no feed -----------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"  \n", b"\xef\xbb\xbf", "\u200b \x00".encode()[3:]])
def test_an_empty_body_is_a_failure(body: bytes) -> None:
    error = refused(body)
    assert (error.reason, error.retryable) == ("empty", True)


@pytest.mark.parametrize(
    "body",
    [
        "<!DOCTYPE html><html><body>x</body></html>",
        "<!doctype HTML PUBLIC '-//W3C//DTD XHTML 1.0//EN' 'http://www.w3.org/x.dtd'><html/>",
        '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body/></html>',
        "\n\n<!-- cached --><HTML><head></head></HTML>",
        "<div>مغلق للصيانة</div>",
    ],
)
def test_a_page_in_a_feeds_place_is_a_failure(body: str) -> None:
    assert refused(body, "text/html; charset=utf-8").reason == "html_instead"


@pytest.mark.parametrize(
    "body",
    [
        "nothing of the kind",
        "%PDF-1.4",
        "[1, 2]",
        '<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"/>',
        "<opml><body/></opml>",
        "\x1f\x8b\x08",
    ],
)
def test_what_is_no_feed_is_told(body: str) -> None:
    assert refused(body, "application/xml").reason == "not_a_feed"


# --- entities ------------------------------------------------------------------------------

BOMB = (
    '<!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{"&" + chr(97 + n) + ";"}{"x" * 9}">' for n in range(8))
    + "]>"
)


@pytest.mark.parametrize(
    "doctype",
    [
        BOMB,
        '<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        "<!DOCTYPE rss [<!-- ] --><!ENTITY x 'y'>]>",
        "<!-- <rss> --><!DOCTYPE rss [<!ENTITY x 'y'>]>",
        '<!DOCTYPE rss SYSTEM "http://evil.example/x.dtd">',
        '<!DOCTYPE rss PUBLIC "-//x//y" "http://evil.example/x.dtd">',
        '<!DOCTYPE rss [<!ENTITY % p SYSTEM "http://evil.example/x.dtd"> %p;]>',
        "<!doctype rss [<!entity x 'y'>]>",
        "<!DOCTYPE rss [",
        "<!DOCTYPE rss",
    ],
)
def test_entities_and_outside_dtds_are_refused_before_parsing(doctype: str) -> None:
    body = rss(item(title="&x;")).replace("?>\n", f"?>\n{doctype}\n", 1)
    assert refused(body).reason == "entity"
    assert refused(body.encode("utf-16")).reason == "entity"


def test_an_entity_declared_inside_the_feed_is_refused_too() -> None:
    assert refused(rss("<!ENTITY x 'y'>", item())).reason == "entity"


def test_talk_of_entities_in_an_article_is_none() -> None:
    text = "<description><![CDATA[write <!ENTITY x 'y'> so]]></description>"
    assert parse(rss("<!-- <!ENTITY -->", item(1, text))).entries


def test_the_old_dtd_of_rss_0_91_is_left_out() -> None:
    doctype = (
        '<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN"'
        ' "http://my.netscape.com/publish/formats/rss-0.91.dtd">'
    )
    assert parse(rss(item()).replace("?>\n", f"?>\n{doctype}\n", 1)).entries


# --- damage --------------------------------------------------------------------------------


def test_a_torn_feed_gives_the_entries_that_are_whole() -> None:
    whole = rss(*(item(n, "<description>نص</description>") for n in range(5)))
    for cut in (whole.rindex("</item>") + 3, whole.rindex("<description>") + 20, -12):
        feed = parse(whole.encode()[: len(whole[:cut].encode()) - 1])
        urls = [entry.url for entry in feed.entries]
        assert urls == [f"https://paper.example/{n}" for n in range(len(urls))]
        assert len(urls) == (5 if cut == -12 else 4)
        assert all(entry.summary == "نص" for entry in feed.entries)
        assert ("truncated", "the feed ends in the middle; its whole entries are used") in (
            feed.dropped
        )


def test_a_torn_feed_without_a_whole_entry_gives_none() -> None:
    feed = parse(rss(item(1))[:-40])
    assert feed.entries == ()
    assert feed.dropped[0][0] == "truncated"


def test_a_torn_atom_feed() -> None:
    entry = '<entry><title>خبر</title><link href="https://p.example/1"/></entry>'
    feed = parse(f'<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{entry}<entry><ti')
    assert [found.url for found in feed.entries] == ["https://p.example/1"]


def test_damage_in_the_middle_costs_no_other_entry() -> None:
    bad = item(2, "<description>5 < 6 & <b>نص &nbsp; &bogus; </description><x:y>z</x:y>")
    feed = parse(rss(item(1), bad, item(3)))
    assert [entry.url[-1] for entry in feed.entries] == ["1", "2", "3"]


def test_warnings_of_the_server_before_the_feed_are_skipped() -> None:
    junk = "<br />\n<b>Warning</b>: Undefined variable in <b>/var/www/feed.php</b><br />\n"
    assert parse(junk + rss(item())).entries[0].url == "https://paper.example/1"
    assert parse("\n \ufeff" + rss(item())).entries


@given(st.integers(0, 2_000), st.binary(max_size=20))
@settings(max_examples=60, deadline=None)
def test_any_damage_is_a_feed_or_a_fetch_error(position: int, bytes_: bytes) -> None:
    body = rss(*(item(n, "<description>نص</description>") for n in range(3)), head="<ttl>5</ttl>")
    data = body.encode()
    try:
        feed = parse(data[:position] + bytes_ + data[position + len(bytes_) :])
    except FetchError:
        return
    for entry in feed.entries:
        assert entry.url.startswith(("http://", "https://"))
        (entry.title + entry.summary).encode()
