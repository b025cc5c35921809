"""Addresses: what is asked for, what names an article, what makes a site.

Three forms of one address:
- `clean_url`: as it may be sent to a server, otherwise untouched;
- `canonical_url`: without what does not change the page (tracking parameters, fragment,
  default port, spelling of escapes); two links to one article agree in it;
- `article_id`: a digest of the canonical one. http and https name the same article.

Parameters are neither sorted nor dropped unless known to be there for tracking only: many
newsrooms run systems where `?p=17` is the article.
"""

import hashlib
import ipaddress
import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

import idna
import tld

from collectors.clean import valid
from collectors.errors import FetchError

MAX_URL_CHARS = 4000

_TRACKING_PREFIXES = ("utm_", "at_custom", "mc_", "pk_", "mtm_", "hsa_", "ns_")
_TRACKING = frozenset(
    {
        "fbclid", "gclid", "gclsrc", "dclid", "yclid", "msclkid", "twclid", "ttclid", "wbraid",
        "gbraid", "igshid", "igsh", "_ga", "_gl", "_hsenc", "_hsmi", "mkt_tok", "xtor", "cmpid",
        "ocid", "ref_src", "at_medium", "at_campaign",
        "traffic_source", "maca",  # Al Jazeera's and Deutsche Welle's feeds
    }
)  # fmt: skip
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SAFE = "!#$%&'()*+,/:;=?@[]~|"
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\Z")


_CREDENTIALS: Final = re.compile(r"^(\s*(?:[A-Za-z][A-Za-z0-9+.-]*:)?//)[^/?#\\]*@")


def clean_url(url: str, base: str | None = None) -> str:
    """The address in ASCII, absolute, without fragment and credentials, as a request may
    carry it.

    Raises FetchError(bad_url) when it is not an http or https address."""
    scheme, host, path, query = _split(url, base)
    return f"{scheme}://{host}{path}" + (f"?{query}" if query else "")


def without_credentials(url: str) -> str:
    """The address as it is written, without the `user:password@` that some feeds leave in."""
    return _CREDENTIALS.sub(r"\1", url, count=1)


def canonical_url(url: str) -> str:
    """The form in which two links to one article agree. Raises FetchError(bad_url)."""
    scheme, host, path, query = _split(url, None)
    kept = "&".join(part for part in query.split("&") if part and not _is_tracking(part))
    return f"{scheme}://{host}{path}" + (f"?{kept}" if kept else "")


def article_id(canonical: str) -> str:
    """32 hexadecimal digits, the same on every machine, for http and https alike."""
    _, _, rest = canonical.partition("://")
    return hashlib.blake2b(rest.encode("utf-8", "replace"), digest_size=16).hexdigest()


def site_of(url: str) -> str:
    """The unit of pacing and of ownership: the registrable domain (`bbc.co.uk`; each blog of
    a shared host is its own), else host and port (`127.0.0.1:8000`).

    Raises FetchError(bad_url)."""
    scheme, host, _, _ = _split(url, None)
    return _site_of_host(scheme, host)


def origin_of(url: str) -> str:
    """Scheme, host and port: what a robots.txt speaks for. Raises FetchError(bad_url)."""
    scheme, host, _, _ = _split(url, None)
    return f"{scheme}://{host}"


@lru_cache(maxsize=4096)
def _site_of_host(scheme: str, host: str) -> str:
    name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    if not name:
        name, port = host, ""
    domain: str | None = None
    if not name.startswith("[") and not _is_address(name):
        domain = tld.get_fld(f"http://{name}/", fail_silently=True, search_private=True)
    return domain or f"{name}:{port or _DEFAULT_PORTS[scheme]}"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_tracking(parameter: str) -> bool:
    name = parameter.partition("=")[0].lower()
    return name in _TRACKING or name.startswith(_TRACKING_PREFIXES)


@lru_cache(maxsize=16384)
def _split(url: str, base: str | None) -> tuple[str, str, str, str]:
    """Scheme, host with port unless default, path, query: all ASCII, spelt one way."""
    text = valid(url).strip().translate(_STRIPPED_INSIDE).strip("\xa0\u200e\u200f\ufeff ")
    if len(text) > MAX_URL_CHARS:
        raise FetchError(f"{text[:80]}…: an address of {len(text):,} characters", reason="bad_url")
    try:
        if base is not None:
            text = urljoin(base, text)
        parts = urlsplit(text)
        port = parts.port
        name = parts.hostname
    except ValueError as error:
        raise _bad(url, str(error)) from error
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise _bad(url, "only http and https are fetched")
    if not name:
        raise _bad(url, "no host")
    host = _ascii_host(url, name)
    if port is not None and port != _DEFAULT_PORTS[scheme]:
        host = f"{host}:{port}"
    path = _without_dots(_escaped(parts.path)) or "/"
    return scheme, host, path, _escaped(parts.query)


_STRIPPED_INSIDE = dict.fromkeys((*range(0x20), 0x7F))  # as browsers do


def _ascii_host(url: str, name: str) -> str:
    if ":" in name:
        try:
            return f"[{ipaddress.IPv6Address(name.partition('%')[0])}]"
        except ValueError as error:
            raise _bad(url, "no host") from error
    host = name.lower().rstrip(".")
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError) as error:
            raise _bad(url, "no host name") from error
    if not _HOST.match(host):
        raise _bad(url, "no host name")
    return host


def _escaped(text: str) -> str:
    """Escapes in capitals, none where none is needed, one for everything not ASCII."""

    def spell(match: re.Match[str]) -> str:
        digits = match.group(1)
        if digits is None:
            return "%25"
        char = chr(int(digits, 16))
        return char if char in _UNRESERVED else f"%{digits.upper()}"

    if "%" in text:
        text = _ESCAPE.sub(spell, text)
    return quote(text, safe=_SAFE)


def _without_dots(path: str) -> str:
    """RFC 3986, 5.2.4."""
    if "/." not in path:
        return path
    out: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            if len(out) > 1:
                out.pop()
        elif segment != ".":
            out.append(segment)
    if segments[-1] in (".", ".."):
        out.append("")
    return "/".join(out)


def _bad(url: str, why: str) -> FetchError:
    return FetchError(f"no address to fetch, {why}: {url[:200]!r}", reason="bad_url", url=url)
