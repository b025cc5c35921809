"""A page's bytes into an article: text, title, address, language, date, authors.

    bytes → text (collectors.charset) → tree → is it a challenge? → collectors.pagemeta
    → trafilatura → collectors.boilerplate → is there an article?

Pure, but not bounded in time: trafilatura takes minutes over a page of 100,000 inline
elements, so it runs in `collectors.pool`, where it can be killed. It is imported there only:
a quarter of a second and 8 MB that the daemon need not spend at its start.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from typing import Final

from lxml import etree
from lxml.html import HtmlElement

from collectors.boilerplate import without_furniture
from collectors.charset import decode, printable
from collectors.errors import ExtractError
from collectors.feeds import MAX_SUMMARY
from collectors.folding import fold
from collectors.pagemeta import PageMeta, read_meta

MIN_LETTERS: Final = 40  # an urgent line is an article, a caption is none
MAX_TEXT: Final = 500_000


@dataclass(frozen=True, slots=True)
class Extracted:
    title: str
    text: str  # one paragraph a line
    canonical_url: str | None = None
    language: str | None = None  # ISO 639-1
    published: datetime | None = None
    authors: tuple[str, ...] = ()


def extract_page(body: bytes, *, url: str, content_type: str, now: datetime) -> Extracted:
    """Raises ExtractError: empty, not_html, challenge, no_text."""
    from trafilatura.utils import load_html

    if not body.strip():
        raise ExtractError(f"{url}: the page has no content", reason="empty", url=url)
    if _is_other(body, content_type):
        raise ExtractError(
            f"{url}: no HTML but {content_type or 'a file'}", reason="not_html", url=url
        )
    page = decode(body, declared=_declared(body), content_type=content_type)
    tree = load_html(page, max_size=len(body) + 1)
    if tree is None:
        raise ExtractError(f"{url}: no HTML", reason="not_html", url=url)
    if _CHALLENGE_TITLE.search(_tab_title(page)):
        raise _challenge(url)
    meta = read_meta(tree, url=url, now=now)
    text = _text(tree, url, meta)
    if sum(map(str.isalpha, text[:2_000])) < MIN_LETTERS:
        if _CHALLENGE_MARK.search(page):
            raise _challenge(url)
        raise ExtractError(f"{url}: no article in the page", reason="no_text", url=url)
    return Extracted(
        title=meta.title,
        text=text,
        canonical_url=meta.canonical_url,
        language=_language(text, meta.language),
        published=meta.published,
        authors=meta.authors,
    )


def _text(tree: HtmlElement, url: str, meta: PageMeta) -> str:
    from trafilatura.core import bare_extraction

    document = bare_extraction(
        tree, url=url, fast=True, include_comments=False, deduplicate=False, with_metadata=False
    )
    text = printable(getattr(document, "text", None) or "")[:MAX_TEXT]
    if len(meta.article_body) > 2 * len(text):
        text = meta.article_body[:MAX_TEXT]  # the page draws itself by script
    text = without_furniture("\n".join(line.strip() for line in text.splitlines()))
    first, _, rest = text.partition("\n")
    return rest if rest and fold(first) == fold(meta.title) else text


# --- bytes ---------------------------------------------------------------------------------

_META_CHARSET: Final = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.I
)
_XML_CHARSET: Final = re.compile(rb"""^\s*<\?xml[^>]{0,80}?encoding\s*=\s*["']([\w.:-]{1,40})""")
_OTHER: Final = re.compile(
    r"^\s*(?:image|audio|video|font)/|^\s*application/(?!xhtml|xml|html|octet)"
)
_MAGIC: Final = (b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"PK\x03\x04", b"RIFF", b"\x1f\x8b")


def _is_other(body: bytes, content_type: str) -> bool:
    return body.startswith(_MAGIC) or (
        bool(_OTHER.match(content_type.lower())) and b"<html" not in body[:2_000].lower()
    )


def _declared(body: bytes) -> str | None:
    head = body[:8_192]
    match = _META_CHARSET.search(head) or _XML_CHARSET.search(head)
    return match[1].decode() if match else None


# --- challenges ----------------------------------------------------------------------------

# Titles of pages that stand before a site; see what Cloudflare, Imperva, DDoS-Guard, Akamai,
# DataDome and Sucuri send.
_CHALLENGE_TITLE: Final = re.compile(
    r"^\s*(?:just a moment|attention required! \| cloudflare|please wait\W*$|one moment, please"
    r"|checking your browser|ddos-guard|access denied\s*$|403 forbidden\s*$|pardon our interruption"
    r"|security check|verify(?:ing)? you are (?:a )?human|are you a robot|bot verification"
    r"|robot challenge|human verification|captcha|sucuri website firewall|you are being redirected"
    r"|لحظة واحدة|لحظات من فضلك|التحقق من (?:أنك|انك) (?:لست|إنسان)|التحقق الأمني)",
    re.IGNORECASE,
)
# Marks that stand in sound pages too (Cloudflare puts its script everywhere): only believed
# where no article was found.
_CHALLENGE_MARK: Final = re.compile(
    r"cf-chl|_cf_chl_opt|challenge-platform|cf-turnstile|captcha|px-captcha|incapsula incident"
    r"|_incapsula_resource|captcha-delivery|ddos-guard|slowaes|sucuri_cloudproxy|ak_bmsc"
    r"|enable (?:javascript|js)|requires javascript|javascript (?:is|to be) (?:disabled|enabled)"
    r"|checking your browser|(?:تفعيل|تمكين|فعل) (?:ال)?(?:جافا ?سكريبت|javascript)",
    re.IGNORECASE,
)


def _challenge(url: str) -> ExtractError:
    return ExtractError(
        f"{url}: a page that asks for a browser stands before the article",
        reason="challenge",
        retryable=True,
        url=url,
    )


def _tab_title(page: str) -> str:
    start = page[:20_000].lower().find("<title")
    if start < 0:
        return ""
    return page[page.find(">", start) + 1 :][:200]


# --- language ------------------------------------------------------------------------------

_ARABIC_SCRIPT: Final = frozenset({"ar", "fa", "ur", "ckb", "ku", "ps", "ug", "sd"})
_ARABIC: Final = re.compile("[\u0621-\u064a\u0671-\u06d3]")
_LATIN: Final = re.compile("[A-Za-zÀ-ɏ]")
_PERSIAN: Final = re.compile("[پچژگ]")
_KURDISH: Final = re.compile("[ێۆڵڕەڤ]")
_FRENCH: Final = re.compile(r"\b(?:le|la|les|des|une?|est|dans|pour|qui|sur)\b", re.IGNORECASE)
_ENGLISH: Final = re.compile(r"\b(?:the|of|and|to|in|is|for|that|on|with)\b", re.IGNORECASE)


def _language(text: str, declared: str | None) -> str | None:
    """The declared language unless the script contradicts it: templates say `en` over Arabic."""
    sample = text[:1_500]
    arabic, latin = len(_ARABIC.findall(sample)), len(_LATIN.findall(sample))
    if arabic > latin:
        if len(_KURDISH.findall(sample)) * 20 > arabic:
            return "ku"
        if len(_PERSIAN.findall(sample)) * 50 > arabic:
            return declared if declared in _ARABIC_SCRIPT - {"ar"} else "fa"
        return "ar"
    if latin and (declared is None or declared in _ARABIC_SCRIPT):
        french, english = len(_FRENCH.findall(sample)), len(_ENGLISH.findall(sample))
        if max(french, english) * 20 < len(sample.split()):
            return None
        return "fr" if french > english else "en"
    return declared


# --- the feed's own text -------------------------------------------------------------------

_BLOCKS: Final = frozenset(
    re.findall(
        r"\w+",
        "address article aside blockquote br dd div dl dt figure figcaption footer"
        " h1 h2 h3 h4 h5 h6 header hr li main ol p pre section table td th tr ul",
    )
)
_SILENT: Final = frozenset({"script", "style", "noscript", "iframe", "form", "button", "svg"})
_FEED_TAIL: Final = re.compile(
    r"(?:the post\b.{1,600}\bappeared first on\b.{1,200}"
    r"|(?:ظهرت? |نُشرت? )?(?:المقالة|المقال|التدوينة|الخبر)\b.{1,600}"
    r"(?:أولاً|أولا|اولا|لأول مرة) (?:على|في)\b.{1,200}"
    r"|.{0,300}cet article\b.{1,600}est apparu en premier sur\b.{1,200}"
    r"|(?:continue reading|read more|lire la suite|اقرأ المزيد|المزيد)\W{0,5}.{0,200}"
    r"|\W{0,3}(?:\[(?:…|\.\.\.|&hellip;)\])\W{0,3})\s*",
    re.IGNORECASE,
)
_ELLIPSIS: Final = re.compile(r"\s*\[(?:…|\.\.\.)\]\s*$")


def entry_text(html: str) -> str:
    """The feed's own text as plain paragraphs, one a line, without what syndication adds."""
    html = printable(html)[:MAX_SUMMARY].strip()
    if not html:
        return ""
    if "<" not in html:
        lines = unescape(html).splitlines()
    else:
        root = etree.HTML(f"<html><body><div>{html}</div></body></html>")
        lines = _lines(root) if root is not None else []
    lines = [_ELLIPSIS.sub(" …", " ".join(line.split())) for line in lines]
    return without_furniture("\n".join(line for line in lines if not _FEED_TAIL.fullmatch(line)))


def _lines(root: etree._Element) -> list[str]:
    """Text by block elements. Walks without recursion: depth is the page's choice."""
    pieces: list[str] = []
    silent: etree._Element | None = None
    for event, element in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
        block = "\n" if element.tag in _BLOCKS else ""
        if event == "start" and silent is None:
            if element.tag in _SILENT:
                silent = element
            else:
                pieces += (block, _flat(element.text))
        elif event != "start" and (silent is None or element is silent):
            if event == "end":
                silent = None
            pieces += (block, _flat(element.tail))
    return "".join(pieces).split("\n")


def _flat(text: str | None) -> str:
    return text.replace("\n", " ") if text else ""
