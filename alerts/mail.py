"""Email, by the standard library: one multipart mail to all recipients of a receiver."""

import re
import smtplib
import ssl
from datetime import UTC
from email.charset import BASE64, Charset
from email.errors import MessageError
from email.header import Header
from email.message import Message as Mail
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime, formataddr, parseaddr
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from alerts.answers import is_here
from alerts.channel import Receipt
from alerts.errors import SendError
from alerts.receivers import EmailOptions, Receiver, redact
from alerts.render import PLAIN, Manner, Message, message
from alerts.sanitize import clean, is_rtl, isolate
from streams.records import Alert, Delivery

TIMEOUT_S: Final = 20.0
SUBJECT: Final = 160

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=lambda name: name is not None and name.endswith(".html"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["isolate"] = isolate
_templates.filters["direction"] = lambda text: "rtl" if is_rtl(text) else "ltr"


class EmailChannel:
    """Keeps its connection between two mails, until `idle`."""

    def __init__(self, receiver: Receiver) -> None:
        assert isinstance(receiver.channel, EmailOptions)
        self._name = receiver.name
        self._options = receiver.channel
        self._manner = receiver.manner
        self._secrets = receiver.secrets
        self._smtp: smtplib.SMTP | None = None

    def send(self, delivery: Delivery) -> Receipt:
        settled = {*delivery.done, *delivery.refused}
        recipients = [to for to in self._options.to if to not in settled]
        if not recipients:
            return Receipt(reference=message_id(delivery.alert.id, self._options.sender))
        try:
            mail = compose(delivery.alert, self._name, self._options, self._manner)
        except (MessageError, ValueError) as error:
            raise SendError(
                f"the addresses of receiver {self._name} make no mail: {type(error).__name__}",
                reason="refused",
            ) from error
        try:
            smtp = self._connected()
            refused = smtp.send_message(mail, self._options.sender, recipients)
        except smtplib.SMTPRecipientsRefused as error:
            self._close()
            # Nobody has it. Those without an answer of their own were never asked.
            missing = dict.fromkeys(recipients, (450, b"not asked"))
            return self._receipt(mail, recipients, {**missing, **error.recipients})
        except (smtplib.SMTPException, OSError, UnicodeError, ValueError) as error:
            self._close()
            raise self._failure(error) from None  # the cause may hold what the server echoed
        return self._receipt(mail, recipients, refused)

    def reach(self) -> str:
        """Connect and log in, and send nothing; what was done, in words. Raises SendError."""
        try:
            self._connected()
        except (smtplib.SMTPException, OSError, UnicodeError, ValueError) as error:
            self._close()
            raise self._failure(error) from None
        o = self._options
        how = "without encryption" if o.tls == "none" else "encrypted"
        login = ", takes user and password" if o.user and o.password else ""
        return f"{o.host}:{o.port} answers {how}{login}"

    def idle(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            try:
                smtp.quit()
            except (smtplib.SMTPException, OSError):
                smtp.close()

    def _receipt(
        self,
        mail: Mail,
        recipients: list[str],
        refused: dict[str, tuple[int, bytes]],
    ) -> Receipt:
        """Refused with 5xx is for good, with 4xx for now."""
        told = "; ".join(f"{to}: {self._said(*answer)}" for to, answer in refused.items())
        return Receipt(
            reference=str(mail["Message-ID"]),
            done=tuple(to for to in recipients if to not in refused),
            refused=tuple(to for to in recipients if to in refused and refused[to][0] >= 500),
            waiting=tuple(to for to in recipients if to in refused and refused[to][0] < 500),
            error=clean(told, 500) or None,
        )

    def _connected(self) -> smtplib.SMTP:
        """A connection that answers, logged in."""
        if self._smtp is not None:
            try:
                if self._smtp.noop()[0] == 250:
                    return self._smtp
            except (smtplib.SMTPException, OSError):
                pass
            self._close()
        o = self._options
        if o.password and o.tls == "none" and not is_here(o.host):
            raise SendError(
                f"the password of receiver {self._name} would go to {o.host} unencrypted:"
                " set tls to starttls or implicit",
                reason="insecure",
            )
        if o.tls == "implicit":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                o.host, o.port, timeout=TIMEOUT_S, context=ssl.create_default_context()
            )
        else:
            smtp = smtplib.SMTP(o.host, o.port, timeout=TIMEOUT_S)
        self._smtp = smtp
        if o.tls == "starttls":
            smtp.starttls(context=ssl.create_default_context())
        if o.user and o.password:
            smtp.login(o.user, o.password)
        return smtp

    def _close(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()

    def _said(self, code: int, answer: bytes | str) -> str:
        text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
        return redact(clean(f"{code} {text}", 200), self._secrets)

    def _failure(self, error: Exception) -> SendError:
        server = f"the mail server {self._options.host}:{self._options.port}"
        match error:
            case SendError():
                return error
            case smtplib.SMTPServerDisconnected(__context__=TimeoutError()) | TimeoutError():
                return SendError(
                    f"{server} did not answer in {TIMEOUT_S:g} s", reason="timeout", retryable=True
                )
            case smtplib.SMTPAuthenticationError(smtp_code=code, smtp_error=answer):
                said = self._said(code, answer)
                if 400 <= code < 500:
                    return SendError(
                        f"{server} did not log us in now: {said}",
                        reason="unavailable",
                        retryable=True,
                    )
                return SendError(f"{server} refused user and password: {said}", reason="auth")
            case smtplib.SMTPConnectError() | smtplib.SMTPHeloError():
                said = self._said(error.smtp_code, error.smtp_error)
                return SendError(
                    f"{server} takes no connection now: {said}",
                    reason="unavailable",
                    retryable=True,
                )
            case smtplib.SMTPResponseException(smtp_code=code, smtp_error=answer):
                said = self._said(code, answer)
                if code >= 500:
                    return SendError(f"{server} refused the mail: {said}", reason="refused")
                return SendError(
                    f"{server} cannot take it now: {said}", reason="unavailable", retryable=True
                )
            case smtplib.SMTPNotSupportedError():
                if self._options.tls == "starttls" and "STARTTLS" in str(error):
                    return SendError(
                        f"{server} offers no STARTTLS: set tls to what it does",
                        reason="tls",
                        retryable=True,
                    )
                return SendError(
                    f"{server} lacks what the mail needs: {clean(str(error), 120)}",
                    reason="refused",
                )
            case ssl.SSLError():
                return SendError(
                    f"{server} has no good certificate or encryption:"
                    f" {getattr(error, 'verify_message', '') or clean(error.reason or '', 80)}",
                    reason="tls",
                    retryable=True,
                )
            case smtplib.SMTPException():
                return SendError(
                    f"{server} broke off: {type(error).__name__}",
                    reason="unavailable",
                    retryable=True,
                )
            case OSError():
                return SendError(
                    f"{server} cannot be reached: {error.strerror or type(error).__name__}",
                    reason="unavailable",
                    retryable=True,
                )
        return SendError(f"the mail cannot be written: {type(error).__name__}", reason="refused")


def compose(
    alert: Alert, receiver: str, options: EmailOptions, manner: Manner = PLAIN
) -> MIMEMultipart:
    """The whole mail. Nothing from outside reaches a header but the subject, cleaned of line
    breaks and encoded whole: EmailMessage, which encodes word by word, loses spaces between
    Latin and Arabic."""
    shown = message(alert, manner)
    domain = _domain(options.sender)
    slug = re.sub(r"[^a-z0-9-]+", "-", receiver.lower()).strip("-")[:40] or "alerts"
    # The same mail is the same bytes. No base64 line begins with two hyphens.
    mail = MIMEMultipart("alternative", boundary=f"--rasid-{clean(alert.id, 40)}")
    header = Header(subject(shown), maxlinelen=75, header_name="Subject")
    mail["Subject"] = header  # type: ignore[assignment]  # taken, though typeshed says str
    mail["From"] = _address(options.sender)
    mail["To"] = ", ".join(_address(to) for to in options.to)
    mail["Date"] = format_datetime(alert.created.astimezone(UTC))
    mail["Message-ID"] = message_id(alert.id, options.sender)
    if alert.thread is not None:
        first = message_id(alert.thread, options.sender)
        mail["In-Reply-To"] = first
        mail["References"] = first
    mail["List-Id"] = f"Rasid <{slug}.rasid.{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"  # Exchange's own
    mail.attach(MIMEText(mail_text(shown), "plain", _BASE64))  # type: ignore[arg-type]  # taken as above
    mail.attach(MIMEText(mail_html(shown), "html", _BASE64))  # type: ignore[arg-type]
    return mail


# Lines stay short, and no server has to be 8-bit clean. Said here: Apprise, once imported, has
# changed what Python does with utf-8 for the whole process.
_BASE64: Final = Charset("utf-8")
_BASE64.body_encoding = BASE64


def mail_html(shown: Message) -> str:
    return _templates.get_template("mail.html").render(m=shown)


def mail_text(shown: Message) -> str:
    return _templates.get_template("mail.txt").render(m=shown)


def subject(shown: Message) -> str:
    """The headline first, then what it is: mail programs cut at some 60. A digest says what it is,
    then its first headline."""
    first, second = shown.headline, shown.summaries[0]
    if shown.entries:
        second = shown.entries[0].headline
    return clean(f"{first} — {second}", SUBJECT)


def message_id(alert: str, sender: str) -> str:
    """Always the same for one alert, so that a repeat is seen for what it is."""
    return f"<{re.sub('[^A-Za-z0-9]', '', alert)}.alert@{_domain(sender)}>"


def _domain(sender: str) -> str:
    domain = parseaddr(sender)[1].rpartition("@")[2]
    try:
        domain = domain.encode("idna").decode()
    except UnicodeError:
        domain = ""
    return domain if re.fullmatch(r"[A-Za-z0-9.-]+", domain) else "rasid.invalid"


def _address(written: str) -> str:
    name, address = parseaddr(written)
    if not re.fullmatch(r"[^\s@<>]+@[^\s@<>]+", address):
        raise ValueError("no address")
    return formataddr((clean(name, 80), address))
