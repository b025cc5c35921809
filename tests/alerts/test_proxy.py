"""Messages go out by the proxy of the environment."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from alerts.channel import Channel
from alerts.errors import SendError
from alerts.render import PLAIN
from alerts.slack import BotChannel, WebhookChannel
from alerts.webhook import HttpChannel
from streams.notices import operator_alert
from streams.records import Delivery
from tests.fakes.proxy_server import ProxyServer
from tests.fakes.slack_server import CHANNEL, TOKEN, SlackServer
from tests.fakes.tls_server import TlsServer
from tests.fakes.webhook_server import SECRET, WebhookServer

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOST = "hooks.example"
DELIVERY = Delivery(
    alert=operator_alert("test/message", "a test", since=NOW, receiver="desk"), updated=NOW
)


@pytest.mark.parametrize(
    "channel",
    [
        lambda: HttpChannel(f"https://{HOST}/in", None, PLAIN),
        lambda: WebhookChannel(f"https://{HOST}/services/T0/B0/x"),
        lambda: BotChannel("xoxb-1", "C1", f"https://{HOST}/api/"),
    ],
    ids=["webhook", "slack", "slack-bot"],
)
def test_by_the_proxy(channel: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with TlsServer(authority.issue_cert(HOST)) as site, ProxyServer({HOST: site.port}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        made: Channel = channel()  # type: ignore[operator]
        made.send(DELIVERY)
        # A bot asks for its message's address too.
        assert {asked.split(" HTTP")[0] for asked in proxy.asked} == {f"CONNECT {HOST}:443"}
        assert len(site.posted) >= 1


def test_a_webhook_on_this_machine_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    with WebhookServer() as hooks, ProxyServer({}) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        HttpChannel(hooks.url, SECRET, PLAIN).send(DELIVERY)
        assert len(hooks.bodies) == 1
        assert proxy.asked == []


@pytest.mark.parametrize("kind", ["webhook", "bot"])
def test_slack_heeds_no_proxy(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """slack_sdk reads HTTPS_PROXY by itself; what NO_PROXY names must not go by it all the same."""
    with SlackServer() as slack, ProxyServer({}) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")

        def send() -> None:
            if kind == "webhook":
                WebhookChannel(slack.webhook_url).send(DELIVERY)
            else:
                BotChannel(TOKEN, CHANNEL, slack.api_url).send(DELIVERY)

        with pytest.raises(SendError):  # the proxy knows no such address
            send()
        assert (len(proxy.asked), slack.received) == (1, [])
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        send()
        assert (len(proxy.asked), slack.received[0].taken) == (1, True)
