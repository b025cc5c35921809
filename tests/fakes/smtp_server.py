"""A real SMTP server (aiosmtpd) on loopback, told what to refuse."""

import socket
import threading
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from aiosmtpd import smtp
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

USER = "rasid"
PASSWORD = "correct horse battery"


class MailServer:
    """`answers` maps a recipient to what RCPT gets; `data_answers` are given to DATA, one
    each, before mails are taken; `drop_at` names a command at which the line goes dead."""

    def __init__(self, **options: Any) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.raw: list[bytes] = []
        self.answers: dict[str, str] = {}
        self.data_answers: list[str] = []
        self.drop_at: str | None = None
        self.connections = 0
        self.arrived = threading.Condition()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._controller = Controller(
            self, hostname="127.0.0.1", port=self.port, ready_timeout=10, **options
        )

    def __enter__(self) -> "MailServer":
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    def wait(self, count: int, timeout_s: float = 10.0) -> None:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.mails) >= count, timeout_s), (
                f"{len(self.mails)} of {count} mails arrived"
            )

    def to(self) -> list[list[str]]:
        """Who got each mail."""
        return [recipients for recipients, _ in self.mails]

    async def handle_EHLO(
        self,
        server: smtp.SMTP,
        session: Session,
        envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(
        self,
        server: smtp.SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        rcpt_options: list[str],
    ) -> str:
        self._maybe_drop(server, "RCPT")
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: smtp.SMTP, session: Session, envelope: Envelope) -> str:
        self._maybe_drop(server, "DATA")
        if self.data_answers:
            answer = self.data_answers.pop(0)
            if not answer.startswith("250"):
                return answer
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, policy=SMTP)
        assert isinstance(mail, EmailMessage)
        with self.arrived:
            self.raw.append(content)
            self.mails.append((list(envelope.rcpt_tos), mail))
            self.arrived.notify_all()
        return "250 OK"

    def _maybe_drop(self, server: smtp.SMTP, command: str) -> None:
        if self.drop_at == command:
            server.transport.abort()


def authenticator(
    server: smtp.SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
) -> AuthResult:
    """Lets in whoever knows PASSWORD."""
    good = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
    return AuthResult(success=good, handled=False)
