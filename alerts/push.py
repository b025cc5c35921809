"""Everything else (Telegram, Teams, Mattermost, Discord, ntfy, …) by Apprise.

Apprise tells only that a message was not taken, not why: it is tried again for a while, and
then it is a dead letter. It is imported when a receiver asks for it.
"""

import logging
from typing import Any

from alerts.channel import Receipt
from alerts.errors import SendError
from alerts.mail import mail_text, subject
from alerts.render import Manner, message
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
        taken = self._apprise.notify(
            title=subject(shown), body=mail_text(shown), body_format=self._text
        )
        if not taken:
            raise SendError("the service did not take it", reason="unknown", retryable=True)
        return Receipt()

    def idle(self) -> None:
        """Nothing is held."""
