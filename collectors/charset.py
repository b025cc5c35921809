"""Bytes from outside into text that can be stored: which encoding, and nothing unprintable.

What a document declares is often wrong in one of two ways: it is UTF-8 whatever it says,
or it says UTF-8 (or nothing) and is windows-1256. Both can be told from the bytes.
"""

import codecs
import re
from typing import Final

# Those that newsrooms write in. Python knows others ("rot13", "idna", "unicode_escape") that
# must not be a document's choice.
_ALLOWED: Final = re.compile(
    r"(?:utf-?(?:8|16|32)(?:-?[lb]e)?|(?:windows|cp)-?125\d|iso-?8859-?\d{1,2}(?:-[ei])?|us-ascii"
    r"|latin-?1|ascii|mac-?arabic|x-mac-arabic|koi8-[ru]|gb(?:2312|k|18030)|big5|shift_jis|euc-[jk][pr])"
)
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HEADER_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_HIGH_RUN: Final = re.compile(rb"[\x80-\xff]+")
_WORD: Final = re.compile(r"[^\x00-\x7f]+")
_TORN: Final = re.compile("[\udc80-\udcff]+")  # bytes that are no UTF-8, by surrogateescape
# What share of the words must be whole UTF-8 for a text with broken bytes to be UTF-8. A word in
# windows-1256 is so by chance hardly ever (none of 200,000 in news); a newsroom that cuts each
# summary at a number of bytes breaks its last word, one in six or more.
_CLEAN: Final = 1 / 2
_CLEAN_IF_DECLARED: Final = 1 / 5
_C1: Final = re.compile("[\x80-\x9f]")
# No place in XML 1.0, HTML or a JSON reader: controls, lone surrogates, noncharacters.
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def decode(body: bytes, *, declared: str | None = None, content_type: str = "") -> str:
    """The text of `body`, without controls and lone surrogates. Never raises.

    `declared` is what the document itself says, `content_type` what came with it. Valid UTF-8
    is UTF-8; then what is declared, if it fits; else windows-1256 or windows-1252, by how the
    high bytes stand; UTF-8 with broken bytes stays UTF-8 while enough of its words are whole.
    """
    return printable(_decode(body, declared, content_type))


def printable(text: str) -> str:
    """`text` without what must not be stored or parsed: NUL, other controls, lone surrogates."""
    return _FORBIDDEN.sub("", text)


def _decode(body: bytes, declared: str | None, content_type: str) -> str:
    for bom, encoding in _BOMS:
        if body.startswith(bom):
            return body.decode(encoding, "replace").removeprefix("\ufeff")
    if body[1:2] == b"\0" and body[:1] == b"<":
        return body.decode("utf-16-le", "replace")
    if body[:2] == b"\0<":
        return body.decode("utf-16-be", "replace")
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(body)  # the end may be torn
    except UnicodeDecodeError:
        pass
    header = _HEADER_CHARSET.search(content_type)
    names = (declared, header[1] if header else None)
    tolerant = body.decode("utf-8", "surrogateescape")
    words = _WORD.findall(tolerant)
    clean = sum(1 for word in words if not _TORN.search(word))
    if clean >= len(words) * (_CLEAN_IF_DECLARED if any(map(_is_utf_8, names)) else _CLEAN):
        return _TORN.sub("\ufffd", tolerant)
    for name in names:
        text = _as_declared(body, name)
        if text is not None:
            return text
    return body.decode(_eight_bit(body), "replace")


def _is_utf_8(name: str | None) -> bool:
    return name is not None and name.strip().lower() in ("utf-8", "utf8")


def _as_declared(body: bytes, name: str | None) -> str | None:
    """None when the name is no encoding to be trusted here, or does not fit the bytes."""
    if not name or not _ALLOWED.fullmatch(name.strip().lower()):
        return None
    try:
        encoding = codecs.lookup(name.strip()).name
        if encoding in ("utf-8", "utf-16", "utf-32", "ascii"):
            return None
        if encoding in ("iso8859-1", "cp1252"):
            encoding = _eight_bit(body)  # the default of many servers, so no evidence
        text = body.decode(encoding)
    except (LookupError, UnicodeDecodeError):
        return None
    # Where ISO has controls windows-1256 has letters: ISO is what was meant only without them.
    return None if encoding.startswith("iso8859") and _C1.search(text) else text


def _eight_bit(body: bytes) -> str:
    """Arabic words are runs of high bytes; in Latin text an accented letter stands alone."""
    runs = [len(run[0]) for run in _HIGH_RUN.finditer(body, 0, 200_000)]
    long = sum(1 for length in runs if length >= 3)
    return "cp1256" if 2 * long >= len(runs) else "cp1252"
