"""Pages as newsrooms build them, and what stands in an article's place."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.errors import ExtractError
from collectors.extract import Extracted, entry_text, extract_page

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
URL = "https://example.com/news/17"
TITLE = "إعادة فتح الطريق الساحلي بعد أسبوع من الإغلاق"
PARAGRAPHS = (
    "أعلنت بلدية الميناء صباح اليوم إعادة فتح الطريق الساحلي أمام حركة السير بعد أسبوع من الإغلاق.",
    "وقال مدير الأشغال في البلدية إن العمال أزالوا الحواجز وردموا الحفر التي خلفتها الأمطار.",
    "وأضاف أن الشاحنات الثقيلة ستبقى ممنوعة من المرور حتى نهاية الشهر، وأن دوريات ستراقب ذلك.",
    "ويربط الطريق بين الميناء والمدينة القديمة، ويستخدمه كل يوم آلاف السكان في التنقل إلى أعمالهم.",
)
BODY = "".join(f"<p>{paragraph}</p>" for paragraph in PARAGRAPHS)
NAV = (
    "<nav><ul>"
    + "".join(f'<li><a href="/s/{n}">قسم {n}</a></li>' for n in range(12))
    + "</ul></nav>"
)


def page(
    head: str = "", body: str = BODY, above: str = "", html: str = 'lang="ar" dir="rtl"'
) -> str:
    return (
        f"<!DOCTYPE html><html {html}><head>{head}</head><body><header>{NAV}</header><main>"
        f'<article><h1>{TITLE}</h1>{above}<div class="entry-content">{body}</div></article></main>'
        "<footer><p>جميع الحقوق محفوظة</p></footer></body></html>"
    )


def extract(source: str | bytes, url: str = URL, content_type: str = "text/html") -> Extracted:
    body = source.encode() if isinstance(source, str) else source
    return extract_page(body, url=url, content_type=content_type, now=NOW)


def refused(source: str | bytes, content_type: str = "text/html") -> ExtractError:
    with pytest.raises(ExtractError) as raised:
        extract(source, content_type=content_type)
    assert URL in str(raised.value)
    return raised.value


def test_an_article_whole() -> None:
    head = (
        f"<title>{TITLE} | صحيفة الميناء</title>"
        f'<meta property="og:title" content="{TITLE} - صحيفة الميناء">'
        '<meta property="og:site_name" content="صحيفة الميناء">'
        '<meta property="article:published_time" content="2026-11-20T09:30:00+02:00">'
        '<meta name="author" content="سعاد الطرابلسي">'
        '<link rel="canonical" href="https://www.example.com/news/17">'
    )
    assert extract(page(head)) == Extracted(
        title=TITLE,
        text="\n".join(PARAGRAPHS),
        canonical_url="https://www.example.com/news/17",
        language="ar",
        published=datetime(2026, 11, 20, 7, 30, tzinfo=UTC),
        authors=("سعاد الطرابلسي",),
    )


def test_furniture_in_the_text_is_cut() -> None:
    body = (
        f"<p>0 تعليق ارسل لصديق نسخة للطباعة</p>{BODY}<p>شاركنا ..</p><h3>مقالات ذات صلة</h3>"
        "<p>حفل افتتاح المكتبة</p><h3>اترك تعليقاً</h3><p>لن يتم نشر عنوان بريدك الإلكتروني.</p>"
    )
    assert extract(page(body=body)).text == "\n".join(PARAGRAPHS)


# --- encodings -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("meta", "content_type"),
    [
        ("", "text/html"),
        ("", ""),
        ('<meta charset="utf-8">', "text/html; charset=utf-8"),
        ('<meta charset="windows-1256">', "text/html"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=windows-1256">', "text/html"),
        ('<meta charset="iso-8859-1">', "text/html"),
        ("", "text/html; charset=windows-1256"),
    ],
)
def test_windows_1256_declared_or_not(meta: str, content_type: str) -> None:
    article = extract(page(meta).encode("cp1256"), content_type=content_type)
    assert article.title == TITLE
    assert article.text == "\n".join(PARAGRAPHS)


def test_utf_8_is_utf_8_whatever_it_says() -> None:
    for meta in ('<meta charset="windows-1256">', '<meta charset="x-unknown">', ""):
        assert extract(page(meta), content_type="text/html; charset=iso-8859-6").title == TITLE


def test_nothing_unprintable_comes_out() -> None:
    article = extract(page(body=BODY.replace("أسبوع", "أس\x00ب&#xD800;و\x0bع&#0;")))
    article.text.encode()
    assert not any(char < " " and char != "\n" for char in article.text + article.title)


# --- title ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        f"<title>{TITLE} | صحيفة الميناء</title>",
        f"<title>صحيفة الميناء - {TITLE}</title>",
        f'<meta property="og:title" content="{TITLE}"><title>صحيفة الميناء</title>',
        f'<meta property="og:title" content="{TITLE} — أخبار — صحيفة الميناء">'
        '<meta property="og:site_name" content="صحيفة الميناء">',
        f'<meta name="twitter:title" content="{TITLE}">',
        "<title>صحيفة الميناء</title>",
        '<meta property="og:title" content="صحيفة الميناء">'
        '<meta property="og:site_name" content="صحيفة الميناء"><title>صحيفة الميناء</title>',
        "",
    ],
)
def test_the_title_is_the_headline_without_the_site(head: str) -> None:
    assert extract(page(head)).title == TITLE


def test_dashes_of_the_headline_itself_stay() -> None:
    headline = "اجتماع طرابلس - تونس ينتهي بلا بيان"
    head = (
        f'<meta property="og:title" content="{headline} - الميناء">'
        '<meta property="og:site_name" content="الميناء">'
    )
    assert extract(page(head)).title == headline


def test_a_headline_of_ten_thousand_characters_is_cut() -> None:
    title = extract(page(f'<meta property="og:title" content="{"خبر طويل " * 1_200}">')).title
    assert 500 < len(title) <= 1_000


# --- address -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("https://example.com/news/17-road", "https://example.com/news/17-road"),
        ("/news/17?id=2", "https://example.com/news/17?id=2"),
        ("https://m.example.com/17", "https://m.example.com/17"),
        ("https://example.org/news/17", None),  # one site must not speak for another
        ("https://example.com/", None),
        ("https://example.com", None),
        ("/ar", None),
        ("javascript:void(0)", None),
        ("http://[", None),
        ("", None),
    ],
)
def test_the_canonical_address_is_believed_within_the_site(href: str, expected: str | None) -> None:
    assert extract(page(f'<link rel="canonical" href="{href}">')).canonical_url == expected


def test_og_url_stands_in() -> None:
    head = '<meta property="og:url" content="https://example.com/n/17">'
    assert extract(page(head)).canonical_url == "https://example.com/n/17"


# --- language ------------------------------------------------------------------------------

ENGLISH = (
    "<p>The council of the port said that the road is open to the public again and that</p>" * 4
)
FRENCH = (
    "<p>Le conseil du port dit que la route est ouverte pour les habitants dans la ville</p>" * 4
)
PERSIAN = "<p>شورای شهر گفت که راه ساحلی پس از یک هفته برای گذر خودروها باز شده است و چند</p>" * 4


@pytest.mark.parametrize(
    ("html", "body", "expected"),
    [
        ('lang="ar"', BODY, "ar"),
        ('lang="ar-LY"', BODY, "ar"),
        ('lang="en-US"', BODY, "ar"),  # a theme's default
        ("", BODY, "ar"),
        ('lang="en"', ENGLISH, "en"),
        ('lang="ar"', ENGLISH, "en"),
        ("", FRENCH, "fr"),
        ('lang="tr"', FRENCH, "tr"),
        ("", PERSIAN, "fa"),
        ('lang="fa"', PERSIAN, "fa"),
    ],
)
def test_the_language_is_what_the_script_allows(html: str, body: str, expected: str) -> None:
    assert extract(page(html=html, body=body)).language == expected


# --- date ----------------------------------------------------------------------------------

MORNING = datetime(2026, 11, 20, 7, 30, tzinfo=UTC)


def ld(**values: object) -> str:
    data = {"@context": "https://schema.org", "@type": "NewsArticle", **values}
    return f'<script type="application/ld+json">{json.dumps(data)}</script>'


@pytest.mark.parametrize(
    ("head", "above"),
    [
        ('<meta property="article:published_time" content="2026-11-20T07:30:00Z">', ""),
        ('<meta name="pubdate" content="20/11/2026 07:30">', ""),
        (ld(datePublished="2026-11-20T09:30:00+02:00"), ""),
        (ld(**{"@graph": [{"@type": ["Article"], "datePublished": "2026-11-20T07:30:00Z"}]}), ""),
        ('<meta itemprop="datePublished" content="2026-11-20T07:30:00Z">', ""),
        ("", '<time datetime="2026-11-20T07:30:00Z">اليوم</time>'),
        ("", '<time class="updated" datetime="2026-11-20T11:00:00Z">x</time>'
             '<time class="published" datetime="2026-11-20T07:30:00Z">y</time>'),
        ("", '<span class="post-date">الجمعة 20 نوفمبر/تشرين الثاني 2026 - 07:30</span>'),
        ("", '<div class="meta"><i></i> نُشر: ٢٠ تشرين الثاني ٢٠٢٦، ٠٧:٣٠ ص</div>'),
        # a broken one first
        ('<meta property="article:published_time" content="0000-00-00">'
         + ld(datePublished="2026-11-20T07:30:00Z"), ""),
    ],
)  # fmt: skip
def test_the_date_is_found_where_newsrooms_put_it(head: str, above: str) -> None:
    assert extract(page(head, above=above)).published == MORNING


def test_a_date_in_the_address_is_the_last_resort() -> None:
    url = "https://example.com/2026/11/20/road"
    assert extract(page(), url=url).published == datetime(2026, 11, 20, tzinfo=UTC)


def test_a_page_that_says_no_date_has_none() -> None:
    future = '<meta property="article:published_time" content="2099-01-01T00:00:00Z">'
    modified = '<meta property="article:modified_time" content="2026-11-20T07:30:00Z">'
    assert extract(page(future + modified)).published is None


# --- authors -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "above", "expected"),
    [
        (ld(author={"@type": "Person", "name": "سعاد"}), "", ("سعاد",)),
        (ld(author=[{"name": "سعاد"}, {"name": "علي"}]), "", ("سعاد", "علي")),
        (ld(author="سعاد"), "", ("سعاد",)),
        ('<meta property="article:author" content="https://facebook.com/suad">', "", ()),
        ("", '<a rel="author" href="/a/1">بقلم: سعاد الطرابلسي</a>', ("سعاد الطرابلسي",)),
        ("", "", ()),
    ],
)
def test_authors(head: str, above: str, expected: tuple[str, ...]) -> None:
    assert extract(page(head, above=above)).authors == expected


# --- no article ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "<html><head><title>Just a moment...</title></head><body>"
        "<div id='cf-wrapper'>Checking</div></body></html>",
        "<html><head><title>Attention Required! | Cloudflare</title></head><body>x</body></html>",
        "<html><head><title>DDoS-Guard</title></head><body></body></html>",
        "<html><head><title>example.com</title></head><body><noscript>Please enable JS and"
        " disable any ad blocker</noscript><script src='https://ct.captcha-delivery.com/c.js'>"
        "</script></body></html>",
        "<html><body><p>This site requires Javascript to work</p>"
        "<script>document.cookie='__test='+slowAES.decrypt(a)</script></body></html>",
        "<html><body><p>يرجى تفعيل الجافاسكريبت</p></body></html>",
        "<html><head><title>لحظة واحدة…</title></head><body></body></html>",
    ],
)
def test_a_challenge_is_no_article(source: str) -> None:
    error = refused(source)
    assert (error.reason, error.retryable) == ("challenge", True)


def test_an_article_that_carries_a_challenges_script_is_an_article() -> None:
    script = '<script src="/cdn-cgi/challenge-platform/scripts/jsd/main.js"></script>'
    assert extract(page(body=BODY + script)).text == "\n".join(PARAGRAPHS)


def test_an_article_about_captchas_is_an_article() -> None:
    head = "<title>كيف تعمل اختبارات captcha؟ | صحيفة الميناء</title>"
    assert extract(page(head)).text


@pytest.mark.parametrize(
    "body", ["", "<p>فيديو</p>", "<img src='/x.jpg'>", "<p>شاركنا ..</p><p>0 تعليق</p>"]
)
def test_a_page_without_text_is_told(body: str) -> None:
    source = f"<html><head><title>صور</title></head><body>{body}<script>1</script></body></html>"
    assert refused(source).reason == "no_text"


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (b"", "text/html", "empty"),
        (b" \n ", "text/html", "empty"),
        (b"%PDF-1.7 ...", "text/html", "not_html"),
        (b"\xff\xd8\xff\xe0", "", "not_html"),
        (b'{"a": 1}', "application/json", "not_html"),
        (b"x", "image/png", "not_html"),
    ],
)
def test_what_is_no_page_is_told(body: bytes, content_type: str, reason: str) -> None:
    assert refused(body, content_type).reason == reason


def test_an_article_drawn_by_script_is_taken_from_its_description() -> None:
    text = " ".join(PARAGRAPHS)
    source = f"<html><head>{ld(headline=TITLE, articleBody=text)}</head><body><div/></body></html>"
    article = extract(source)
    assert (article.title, article.text) == (TITLE, text)


def test_an_urgent_line_is_an_article() -> None:
    line = "عاجل: مجلس البلدية يعلن إعادة فتح الطريق الساحلي مساء اليوم"
    assert line in extract(page(body=f"<p>{line}</p>")).text


def test_a_headline_above_the_text_is_not_said_twice() -> None:
    assert extract(page(body=f"<h2>{TITLE}</h2>{BODY}")).text == "\n".join(PARAGRAPHS)


def test_a_first_sentence_that_begins_as_the_headline_does_stays_whole() -> None:
    body = f"<p>{TITLE} هو ما ينتظره سكان الميناء منذ أيام.</p>{BODY}"
    assert extract(page(body=body)).text.startswith(f"{TITLE} هو ما ينتظره")


@pytest.mark.parametrize(
    "head",
    [
        '<script type="application/ld+json">{"@type": "NewsArticle", </script>',
        '<script type="application/ld+json">' + "[" * 50_000 + "</script>",
        '<script type="application/ld+json">{"@type":"NewsArticle","author":{"name":[1]},'
        '"datePublished":{"a":1},"headline":["x"],"articleBody":[{}]}</script>',
        '<meta property="og:title" content="">',
    ],
)
def test_broken_descriptions_do_not_cost_the_article(head: str) -> None:
    assert extract(page(head)).text == "\n".join(PARAGRAPHS)


@given(st.integers(0, 3_000), st.binary(max_size=30))
@settings(max_examples=40, deadline=None)
def test_any_damage_is_an_article_or_an_extract_error(position: int, bytes_: bytes) -> None:
    body = page(ld(datePublished="2026-11-20T07:30:00Z")).encode()
    try:
        article = extract(body[:position] + bytes_ + body[position + len(bytes_) :])
    except ExtractError:
        return
    (article.title + article.text).encode()


# --- the feed's own text -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("", ""),
        ("نص بلا وسوم\nعلى سطرين", "نص بلا وسوم\nعلى سطرين"),
        ("قال &quot;نعم&quot; &amp; مضى", 'قال "نعم" & مضى'),
        ("<p>قال <b>المدير</b> نعم.</p><p>ومضى.</p>", "قال المدير نعم.\nومضى."),
        ("سطر<br>سطر<br/>سطر", "سطر\nسطر\nسطر"),
        ("<ul><li>واحد</li><li>اثنان</li></ul>ذيل", "واحد\nاثنان\nذيل"),
        ("<p>نص</p><script>x()</script><style>y</style>ذيل<!-- z -->آخر", "نص\nذيلآخر"),
        ("<p>سطر\n  ملفوف</p>", "سطر ملفوف"),
        ("<p>مقدمة الخبر [&#8230;]</p>", "مقدمة الخبر …"),
        ('<p>نص.</p><p>The post <a href="/1">خبر</a> appeared first on <a>صحيفة</a>.</p>', "نص."),
        ("<p>نص.</p><p>ظهرت المقالة <a>خبر</a> أولاً على <a>صحيفة</a>.</p>", "نص."),
        ("<p>نص.</p>\nظهرت المقالة خبر أولا على صحيفة.", "نص."),
        ("<p>نص.</p><p><a>اقرأ المزيد »</a></p>", "نص."),
        ("<p>نص.</p><p>شاركنا ..</p>", "نص."),
        ("<p>المقال الذي نشره أثار جدلاً في المدينة.</p>", "المقال الذي نشره أثار جدلاً في المدينة."),
        ("نسبة 3 < 5 في الميناء", "نسبة 3 < 5 في الميناء"),
    ],
)
def test_the_feeds_own_text(html: str, expected: str) -> None:
    assert entry_text(html) == expected


def test_a_deep_or_hostile_summary_is_survived() -> None:
    assert entry_text("<div>" * 100_000 + "نص") in ("نص", "")
    assert entry_text("\ud800نص\x00") == "نص"
    assert len(entry_text("<b>نص</b> " * 100_000)) <= 200_000
