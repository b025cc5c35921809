"""Everything else (Telegram, Teams, Mattermost, Discord, ntfy, …) by Apprise.

Apprise tells only that a message was not taken, not why: it is tried again for a while, and
then it is a dead letter. It is imported when a receiver asks for it.
"""

import logging
import re
from collections.abc import Sequence
from typing import Any, Final

from alerts.channel import Receipt
from alerts.errors import SendError
from alerts.mail import mail_text, subject
from alerts.render import Manner, Message, message
from streams.errors import ConfigError
from streams.records import Delivery


class PushChannel:
    """Raises ConfigError for an address that Apprise does not know."""

    def __init__(self, name: str, url: str, manner: Manner) -> None:
        import apprise

        # Apprise writes addresses, with their tokens, to its log.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        self._manner = manner
        self._text = apprise.NotifyFormat.TEXT
        self._apprise: Any = apprise.Apprise()
        if not self._apprise.add(url):
            raise ConfigError(f"receiver {name}: its push url is none that Apprise knows")

    def send(self, delivery: Delivery) -> Receipt:
        shown = message(delivery.alert, self._manner)
        title, text = written(shown)
        taken = self._apprise.notify(title=title, body=text, body_format=self._text)
        if not taken:
            raise SendError("the service did not take it", reason="unknown", retryable=True)
        return Receipt()

    def idle(self) -> None:
        """Nothing is held."""


def written(shown: Message) -> tuple[str, str]:
    """Title and text. The services read their own marks in it, each other ones: mentions, links
    in Markdown, bare addresses. Nothing of that kind is left whole but the article's address."""
    kept = [shown.href, *(entry.href for entry in shown.entries)]
    return _defused(subject(shown), ()), _defused(mail_text(shown), [href for href in kept if href])


# @everyone, <!channel>, <@U1>, [text](address), http://address, address.example
_ACTS: Final = re.compile(r"(?<=[@<\]])(?=\S)|(?<=:)(?=//)|(?<=\w\.)(?=[A-Za-z])")
_JOINER: Final = "\u2060"  # has no width, and allows no break


def _defused(text: str, kept: Sequence[str]) -> str:
    """`text` with what acts broken up, but in what is `kept`."""
    if not kept:
        return _ACTS.sub(_JOINER, text)
    parts = re.split("(" + "|".join(re.escape(each) for each in kept) + ")", text)
    return "".join(part if part in kept else _ACTS.sub(_JOINER, part) for part in parts)
