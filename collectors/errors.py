"""What can go wrong between an address and an article.

    RasidError
    ├── FetchError     an address did not give what it should
    └── ExtractError   a page did not give an article

`reason` is a word from the closed set of its class: it is a metric's label, stands in
the row of a feed or an entry, and decides how soon the address is tried again
(`collectors.schedule`). Both survive the way back from a process of the pool.
"""

from typing import Any, Final

from streams.errors import RasidError

_AGAIN = "it is tried again"
_ASK = "ask its webmaster to let Rasid in (`collect.contact` tells who you are), or leave it out"
_FIND = "open it in a browser, and correct it or leave it out"

# Each reason of a FetchError, and what a person can do about it.
HINTS: Final = {
    # the address
    "bad_url": "correct the address: http:// or https:// and a host",
    "address": "it is an address inside; `collect.allow_networks` can allow it",
    "robots": _ASK,
    "robots_unreachable": f"{_AGAIN}; until robots.txt can be read, nothing of the site is fetched",
    # the network
    "dns": f"{_AGAIN}; look whether the name is right, and whether this machine can resolve names",
    "proxy": f"{_AGAIN}; look at the proxy, and at HTTPS_PROXY, HTTP_PROXY and NO_PROXY in Rasid's"
    " environment",
    "refused": f"{_AGAIN}; look whether the site is up, and whether this machine may reach it",
    "tls": "look whether a browser trusts the site's certificate, and at this machine's clock",
    "timeout": f"{_AGAIN}; if it lasts, the site is slow or does not answer this machine",
    "disconnected": _AGAIN,
    # the answer
    "not_found": f"it has moved or ended: {_FIND}",
    "gone": "it has ended for good: leave it out, or find its successor",
    "forbidden": _ASK,
    "rate_limited": f"{_AGAIN} when the site allows; a longer `collect.site_delay` asks less",
    "server_error": f"{_AGAIN}; the site has trouble of its own",
    "bad_status": _FIND,
    "redirects": f"the site sends visitors round and round: {_FIND}",
    "too_large": "it is no feed of usual size: look for a smaller one of the same site",
    "bad_encoding": f"the site packs it wrongly: {_FIND}",
    "challenge": _ASK,
    # the feed
    "html_instead": "the feed has moved, or wants to see a browser: look for its new address on"
    " the site's front page",
    "empty": f"{_AGAIN}; if it lasts, {_FIND}",
    "not_a_feed": _FIND,
    "entity": "it is refused for safety: ask its webmaster for a feed without a DTD",
    "crashed": "please report it, with the address: Rasid's parser failed on it",
    "error": "please report it, with the traceback from the daemon's log",
}


class FetchError(RasidError):
    """An address did not give what it should.

    The message begins with the address; `url` is the one that failed, after redirects;
    `status` the answer's, if there was one; `retry_after_s` what the server asked for; `hint`
    what a person can do. A feed that came but cannot be read is a FetchError too: for polling
    it is the same."""

    reasons = frozenset(HINTS)

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        retryable: bool = False,
        url: str = "",
        status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, reason=reason, retryable=retryable)
        self.url = url
        self.status = status
        self.retry_after_s = retry_after_s

    @property
    def hint(self) -> str:
        return HINTS[self.reason]

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__.copy())


class ExtractError(RasidError):
    """A page did not give an article."""

    reasons = frozenset(
        {
            "challenge",  # a page that wants to see a browser
            "no_text",
            "not_html",  # a PDF, a picture, a sound
            "empty",
            "too_large",
            "bad_encoding",
            "timeout",  # killed at its deadline
            "crashed",  # the process died
            "error",  # the parser raised what nobody expected
        }
    )

    def __init__(
        self, message: str, *, reason: str, retryable: bool = False, url: str = ""
    ) -> None:
        super().__init__(message, reason=reason, retryable=retryable)
        self.url = url

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__.copy())


def _rebuild(kind: type[RasidError], args: tuple[Any, ...], state: dict[str, Any]) -> RasidError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error
