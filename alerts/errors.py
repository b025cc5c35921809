"""What can go wrong between a message and its receiver."""

from typing import ClassVar

from streams.errors import RasidError


class SendError(RasidError):
    """A receiver did not take a message.

    `reason` is the metric label and what the delivery's row shows; `retryable` says whether
    the same message may be taken later; `retry_after_s`, when the receiver asked for it, is
    obeyed to the second. The message never holds an address with a secret in it.

    | reason           | what happened                                            | again |
    |------------------|----------------------------------------------------------|-------|
    | rate_limited     | too many messages: 429                                   | yes   |
    | unavailable      | connection refused or dropped, 5xx, a temporary 4xx      | yes   |
    | timeout          | no answer in time                                        | yes   |
    | tls              | no encryption offered, or a certificate that is not good | yes   |
    | auth             | credentials refused                                      | no    |
    | not_found        | no such channel, webhook gone                            | no    |
    | refused          | this message, or all its recipients, refused for good    | no    |
    | insecure         | a password would have gone unencrypted                   | no    |
    | unknown_receiver | no receiver of that name is configured any more          | no    |
    | unknown          | not taken, and Apprise does not say why                  | twelve times |
    | internal         | a defect in Rasid                                        | no    |
    """

    reasons: ClassVar[frozenset[str]] = frozenset(
        {
            "rate_limited", "unavailable", "timeout", "tls", "auth", "not_found", "refused",
            "insecure", "unknown_receiver", "unknown", "internal",
        }
    )  # fmt: skip

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        retryable: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, reason=reason, retryable=retryable)
        self.retry_after_s = retry_after_s
