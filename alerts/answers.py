"""What HTTP answers, and the lack of one, mean for a message: shared by Slack and webhooks."""

import http.client
import socket
import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final
from urllib.error import URLError

from alerts.errors import SendError

TIMEOUT_S: Final = 15


def is_here(host: str) -> bool:
    """Whether this is this machine: no secret leaves it, and no proxy stands before it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def retry_after_s(headers: Mapping[str, Any]) -> float | None:
    for name, value in headers.items():
        if str(name).lower() == "retry-after":
            try:
                seconds = float(value[0] if isinstance(value, list) else value)
            except (TypeError, ValueError):
                return None
            return seconds if 0 <= seconds < 86_400 else None
    return None


def no_answer(who: str, error: Exception) -> SendError:
    """A request to `who` failed before an answer. Only the kind of failure is told: messages of
    urllib and http.client may hold the address."""
    cause = error.reason if isinstance(error, URLError) else error
    match cause:
        case TimeoutError() | socket.timeout():
            return SendError(
                f"{who} did not answer in {TIMEOUT_S} s", reason="timeout", retryable=True
            )
        case ssl.SSLError():
            why = getattr(cause, "verify_message", "") or type(cause).__name__
            if "not valid for" in why:  # which names the host
                why = "it is for another host"
            return SendError(
                f"{who}'s certificate or encryption is not good: {why}",
                reason="tls",
                retryable=True,
            )
        case OSError():
            return SendError(
                f"{who} cannot be reached: {cause.strerror or type(cause).__name__}",
                reason="unavailable",
                retryable=True,
            )
        case http.client.InvalidURL():
            return SendError(f"the address of {who} cannot be used", reason="not_found")
        case http.client.HTTPException() | UnicodeDecodeError():
            return SendError(
                f"{who}'s answer was not readable: {type(cause).__name__}",
                reason="unavailable",
                retryable=True,
            )
    return SendError(f"sending failed: {type(cause).__name__}", reason="internal")
