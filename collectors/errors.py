"""What can go wrong between an address and an article.

    RasidError
    ├── FetchError     an address did not give what it should
    └── ExtractError   a page did not give an article

`reason` is a word from the closed set of its class: it is a metric's label, stands in
the row of a feed or an entry, and decides how soon the address is tried again
(`collectors.schedule`). Both survive the way back from a process of the pool.
"""

from typing import Any

from streams.errors import RasidError


class FetchError(RasidError):
    """An address did not give what it should.

    `url` is the address that failed, after redirects; `status` the answer's, if there was
    one; `retry_after_s` what the server asked for. A feed that came but cannot be read is a
    FetchError too: for polling it is the same."""

    reasons = frozenset(
        {
            # the address
            "bad_url",  # no address, or not of http or https
            "address",  # leads to an address inside that may not be reached
            "robots",  # robots.txt does not want it fetched
            "robots_unreachable",  # robots.txt could not be asked
            # the network
            "dns",
            "refused",  # no connection
            "tls",
            "timeout",
            "disconnected",  # ended in the middle
            # the answer
            "not_found",
            "gone",
            "forbidden",  # 401, 403, 451
            "rate_limited",
            "server_error",
            "bad_status",  # any other that is not a success
            "redirects",  # too many, in a circle, or without a target
            "too_large",  # as sent or unpacked
            "bad_encoding",  # Content-Encoding unknown or damaged
            "challenge",  # a page that wants to see a browser, in a feed's place
            # the feed
            "html_instead",
            "empty",
            "not_a_feed",
            "entity",  # declares entities of its own: refused
            "crashed",  # the parser did
            "error",  # a defect of Rasid's own; the log has the traceback
        }
    )

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
