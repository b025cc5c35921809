"""No secret is shown, whatever fails: not in a log, an error, a metric, or a row."""

import io
import logging
import socket
from collections.abc import Callable, Iterator

import pytest
import structlog
from prometheus_client import generate_latest

from alerts.receivers import EmailOptions, Receiver, SlackOptions, redact
from streams.records import DEADLETTERS, DELIVERIES
from tests.fakes.alerts_bench import Bench, make_report, utc_now
from tests.fakes.slack_server import TOKEN, WEBHOOK_PATH, Answer, SlackServer
from tests.fakes.smtp_server import PASSWORD, USER, MailServer, authenticator

ECHO = f"you said {WEBHOOK_PATH} {TOKEN} {PASSWORD}"


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """All that is logged, by structlog or by libraries at their most talkative."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    root = logging.getLogger()
    before, level = structlog.get_config(), root.level
    structlog.configure(
        processors=[
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    server_log = logging.getLogger("mail.log")  # the test's mail server, which echoes
    server_log.disabled = True
    yield out
    server_log.disabled = False
    root.removeHandler(handler)
    root.setLevel(level)
    structlog.configure(**before)


def shown(bench: Bench, receiver: Receiver, logged: io.StringIO, status: str) -> str:
    """Everything visible after one alert to `receiver` came to `status`."""
    bench.put(make_report("a1", seen=utc_now()))
    bench.start(bench.stage([receiver]))

    def there() -> bool:
        return any(
            each.status == status and (each.error or status == "sent")
            for each in bench.deliveries()
        )

    bench.until(there)
    bench.stop()
    rows = [
        message.value.decode()
        for name in (DELIVERIES, DEADLETTERS)
        if name in {info.name for info in bench.log.topics()}
        for message in bench.log.read(name)
    ]
    assert rows
    assert logged.getvalue()
    return "\n".join(
        [logged.getvalue(), generate_latest(bench.registry).decode(), repr(receiver), *rows]
    )


def assert_clear(text: str, receiver: Receiver) -> None:
    assert receiver.secrets
    for secret in receiver.secrets:
        assert secret.lower() not in text.lower(), secret


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


SLACK_ANSWERS = [
    (Answer(404, ECHO), "dead"),
    (Answer(400, ECHO.replace(" ", "_")), "dead"),
    (Answer(429, ECHO, {"Retry-After": "600"}), "pending"),
    (Answer(500, ECHO), "pending"),
    (Answer(body=f'{{"ok": false, "error": "{WEBHOOK_PATH[1:].replace("/", "_")}"}}'), "any"),
    (Answer(drop=True), "pending"),
    (Answer(302, "", {"Location": f"http://127.0.0.1:1{WEBHOOK_PATH}"}), "pending"),
    (Answer(), "sent"),
]


@pytest.mark.parametrize("n", range(len(SLACK_ANSWERS)))
@pytest.mark.parametrize("kind", ["webhook", "bot"])
def test_slack(bench: Bench, slack: SlackServer, logged: io.StringIO, kind: str, n: int) -> None:
    answer, status = SLACK_ANSWERS[n]
    slack.script.append(answer)
    webhook = SlackOptions(webhook_url=slack.webhook_url)
    bot = SlackOptions(token=TOKEN, channel="#desk", api_url=slack.api_url)
    receiver = Receiver("desk", webhook if kind == "webhook" else bot)
    if status == "any":
        status = "sent" if kind == "webhook" else "dead"
    assert_clear(shown(bench, receiver, logged, status), receiver)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}" + WEBHOOK_PATH,
        "http://127.0.0.1:port" + WEBHOOK_PATH,
        "gopher://127.0.0.1" + WEBHOOK_PATH,
        "http://127.0.0.1:{port}/a b" + WEBHOOK_PATH,
        "http://nosuchhost.invalid" + WEBHOOK_PATH,
    ],
)
def test_an_address_that_cannot_be_used(bench: Bench, logged: io.StringIO, url: str) -> None:
    receiver = Receiver("desk", SlackOptions(webhook_url=url.replace("{port}", str(free_port()))))
    bench.put(make_report("a1", seen=utc_now()))
    bench.start(bench.stage([receiver]))
    bench.until(lambda: any(each.error for each in bench.deliveries()))
    bench.stop()
    (delivery,) = bench.deliveries()
    assert_clear(logged.getvalue() + str(delivery), receiver)


def email(port: int, **changes: str) -> Receiver:
    options = {"user": USER, "password": PASSWORD, "tls": "none", "host": "127.0.0.1", **changes}
    return Receiver(
        "editors",
        EmailOptions("rasid@desk.example", ("a@desk.example",), port=port, **options),  # type: ignore[arg-type]
    )


MAIL_TROUBLE: dict[str, tuple[Callable[[MailServer], object], str]] = {
    "login": (lambda server: None, "dead"),
    "recipient": (lambda server: server.answers.update({"a@desk.example": f"550 {ECHO}"}), "dead"),
    "body": (lambda server: server.data_answers.append(f"451 {ECHO}"), "pending"),
    "dropped": (lambda server: setattr(server, "drop_at", "DATA"), "pending"),
    "sent": (lambda server: None, "sent"),
}


@pytest.mark.parametrize("trouble", MAIL_TROUBLE)
def test_email(bench: Bench, logged: io.StringIO, trouble: str) -> None:
    prepare, status = MAIL_TROUBLE[trouble]
    with MailServer(authenticator=authenticator, auth_require_tls=False) as server:
        prepare(server)
        password = "not the right one" if trouble == "login" else PASSWORD
        receiver = email(server.port, password=password)
        assert_clear(shown(bench, receiver, logged, status), receiver)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_email_without_the_encryption_asked_for(
    bench: Bench, logged: io.StringIO, mail_server: MailServer, tls: str
) -> None:
    receiver = email(mail_server.port, tls=tls)
    assert_clear(shown(bench, receiver, logged, "pending"), receiver)


@pytest.mark.parametrize("kind", ["slack", "email"])
def test_a_defect_whose_message_holds_the_secret(
    bench: Bench, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def broken(*of: object) -> None:
        raise ZeroDivisionError(ECHO)

    monkeypatch.setattr(f"alerts.{'mail' if kind == 'email' else 'slack'}.message", broken)
    slack_receiver = Receiver(
        "desk", SlackOptions(webhook_url=f"http://127.0.0.1:{free_port()}{WEBHOOK_PATH}")
    )
    receiver = email(free_port()) if kind == "email" else slack_receiver
    text = shown(bench, receiver, logged, "dead")
    assert "ZeroDivisionError" in text
    assert_clear(text, receiver)


def test_redaction_takes_the_longest_form_first() -> None:
    receiver = Receiver("desk", SlackOptions(webhook_url="https://h.example" + WEBHOOK_PATH))
    assert redact(f"x https://h.example{WEBHOOK_PATH} y", receiver.secrets) == "x [secret] y"
    assert redact("nothing", ()) == "nothing"


def test_ordinary_words_of_an_address_are_no_secrets() -> None:
    receiver = Receiver("desk", SlackOptions(webhook_url="https://h.example" + WEBHOOK_PATH))
    assert {"T0SECRET", "B0SECRET", "xYzWebhookSecret"} < set(receiver.secrets)
    assert "services" not in receiver.secrets
