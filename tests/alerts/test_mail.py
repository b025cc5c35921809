"""Mail to a real SMTP server on loopback, and what its refusals mean."""

import socket
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any

import pytest

from alerts.errors import SendError
from alerts.mail import EmailChannel
from alerts.receivers import EmailOptions, Receiver
from streams.records import Delivery
from tests.fakes.alerts_bench import NOW, make_alert
from tests.fakes.smtp_server import PASSWORD, USER, MailServer, authenticator

A, B = "a@desk.example", "b@desk.example"
CERTIFICATE = Path(__file__).with_name("localhost.pem")
DELIVERY = Delivery(alert=make_alert(), updated=NOW)


def channel(server: MailServer, **changes: Any) -> EmailChannel:
    options: dict[str, Any] = {
        "sender": "Rasid <rasid@desk.example>",
        "to": (A, B),
        "host": "127.0.0.1",
        "port": server.port,
        "tls": "none",
    }
    return EmailChannel(Receiver("editors", EmailOptions(**{**options, **changes})))


def refused(channel: EmailChannel, delivery: Delivery = DELIVERY) -> SendError:
    with pytest.raises(SendError) as caught:
        channel.send(delivery)
    return caught.value


def test_one_mail_goes_to_all(mail_server: MailServer) -> None:
    receipt = channel(mail_server).send(DELIVERY)
    assert (receipt.done, receipt.refused, receipt.waiting) == ((A, B), (), ())
    assert receipt.reference == f"<{DELIVERY.alert.id}.alert@desk.example>"
    assert mail_server.to() == [[A, B]]
    mail = mail_server.mails[0][1]
    assert mail["Subject"] == "قصف حقل الواحة النفطي a1 — منشآت النفط: هجوم — ليبيا"
    assert mail["Message-ID"] == receipt.reference
    assert not mail.defects
    assert max(map(len, mail_server.raw[0].split(b"\r\n"))) <= 998


def test_the_line_is_kept_between_mails_and_let_go_when_idle(mail_server: MailServer) -> None:
    sender = channel(mail_server)
    for _ in range(3):
        sender.send(DELIVERY)
    assert mail_server.connections == 1
    sender.idle()
    sender.send(DELIVERY)
    assert mail_server.connections == 2


def test_a_line_that_went_dead_is_opened_again(mail_server: MailServer) -> None:
    sender = channel(mail_server)
    sender.send(DELIVERY)
    assert sender._smtp is not None
    assert sender._smtp.sock is not None
    sender._smtp.sock.shutdown(socket.SHUT_RDWR)
    sender.send(DELIVERY)
    assert len(mail_server.mails) == 2


def test_one_of_two_refused_is_told_apart(mail_server: MailServer) -> None:
    mail_server.answers[B] = "550 5.1.1 no such user"
    receipt = channel(mail_server).send(DELIVERY)
    assert (receipt.done, receipt.refused, receipt.waiting) == ((A,), (B,), ())
    assert receipt.error == "b@desk.example: 550 5.1.1 no such user"
    assert mail_server.to() == [[A]]


def test_who_has_it_or_refused_it_is_not_asked_again(mail_server: MailServer) -> None:
    sender = channel(mail_server, to=(A, B, "c@desk.example"))
    receipt = sender.send(Delivery(alert=DELIVERY.alert, updated=NOW, done=(A,), refused=(B,)))
    assert receipt.done == ("c@desk.example",)
    assert mail_server.to() == [["c@desk.example"]]
    settled = Delivery(alert=DELIVERY.alert, updated=NOW, done=(A, "c@desk.example"), refused=(B,))
    sender.send(settled)
    assert len(mail_server.mails) == 1


def test_one_of_two_deferred_waits(mail_server: MailServer) -> None:
    mail_server.answers[A] = "451 4.7.1 greylisted"
    receipt = channel(mail_server).send(DELIVERY)
    assert (receipt.done, receipt.refused, receipt.waiting) == ((B,), (), (A,))


def test_all_refused_or_deferred_leaves_nobody_with_the_mail(mail_server: MailServer) -> None:
    mail_server.answers.update({A: "550 no", B: "451 later"})
    receipt = channel(mail_server).send(DELIVERY)
    assert (receipt.done, receipt.refused, receipt.waiting) == ((), (A,), (B,))


def test_a_server_that_closes_among_recipients_has_taken_no_mail(mail_server: MailServer) -> None:
    mail_server.answers[B] = "421 closing"
    receipt = channel(mail_server).send(DELIVERY)
    assert (receipt.done, receipt.refused, receipt.waiting) == ((), (), (A, B))


@pytest.mark.parametrize(
    ("answer", "reason", "retryable"),
    [("452 full", "unavailable", True), ("554 spam", "refused", False)],
)
def test_a_refused_body_is_for_now_or_for_good(
    mail_server: MailServer, answer: str, reason: str, retryable: bool
) -> None:
    mail_server.data_answers.append(answer)
    sender = channel(mail_server)
    error = refused(sender)
    assert (error.reason, error.retryable) == (reason, retryable)
    assert answer in str(error)
    sender.send(DELIVERY)  # nothing is left over from the failure
    assert len(mail_server.mails) == 1


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
def test_a_dropped_line_is_tried_again(mail_server: MailServer, command: str) -> None:
    mail_server.drop_at = command
    error = refused(channel(mail_server))
    assert (error.reason, error.retryable) == ("unavailable", True)


def test_nobody_listening_is_tried_again(mail_server: MailServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    error = refused(channel(mail_server, port=port))
    assert (error.reason, error.retryable) == ("unavailable", True)
    assert f"127.0.0.1:{port}" in str(error)


def test_a_silent_server_is_given_up_in_time(
    mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.mail.TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = refused(channel(mail_server, port=silent.getsockname()[1]))
    assert (error.reason, error.retryable) == ("timeout", True)


# --- logging in and encryption ------------------------------------------------------------


@pytest.fixture
def tls() -> SSLContext:
    """A server's, with a certificate for localhost that nobody has signed but itself."""
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))  # OpenSSL's own way to trust one


@pytest.mark.usefixtures("trusted")
def test_starttls_with_a_login(tls: SSLContext) -> None:
    with MailServer(tls_context=tls, authenticator=authenticator, auth_required=True) as server:
        sender = channel(
            server, host="localhost", tls="starttls", user=USER, password=PASSWORD, to=(A,)
        )
        sender.send(DELIVERY)
        assert server.to() == [[A]]
        wrong = channel(
            server, host="localhost", tls="starttls", user=USER, password="wrong password", to=(A,)
        )
        error = refused(wrong)
        assert (error.reason, error.retryable) == ("auth", False)


@pytest.mark.usefixtures("trusted")
def test_implicit_tls(tls: SSLContext) -> None:
    with MailServer(ssl_context=tls) as server:
        channel(server, host="localhost", tls="implicit", to=(A,)).send(DELIVERY)
        assert server.to() == [[A]]


def test_a_certificate_nobody_signed_is_not_trusted(tls: SSLContext) -> None:
    with MailServer(tls_context=tls) as server:
        error = refused(channel(server, host="localhost", tls="starttls"))
        assert (error.reason, error.retryable) == ("tls", True)
        assert "self-signed" in str(error) or "self signed" in str(error)
        assert server.mails == []


def test_a_server_without_starttls_gets_nothing(mail_server: MailServer) -> None:
    error = refused(channel(mail_server, tls="starttls"))
    assert (error.reason, error.retryable) == ("tls", True)
    assert "STARTTLS" in str(error)


def test_a_password_does_not_leave_the_machine_unencrypted() -> None:
    options = EmailOptions(
        "rasid@desk.example", (A,), "mail.example", 25, user=USER, password=PASSWORD, tls="none"
    )
    error = refused(EmailChannel(Receiver("editors", options)))
    assert (error.reason, error.retryable) == ("insecure", False)
    assert PASSWORD not in str(error)


def test_on_loopback_it_may() -> None:
    with MailServer(authenticator=authenticator, auth_require_tls=False) as server:
        channel(server, user=USER, password=PASSWORD, to=(A,)).send(DELIVERY)
        assert server.to() == [[A]]


def test_an_address_that_is_none_makes_no_mail(mail_server: MailServer) -> None:
    error = refused(channel(mail_server, to=("nobody",)))
    assert (error.reason, error.retryable) == ("refused", False)
