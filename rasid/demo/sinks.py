"""Where the demo's alerts arrive: a stand-in for Slack, and a mail server. Both keep what
they are given as files, to be looked at."""

import email
import email.policy
import json
import socket
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiohttp import web
from aiosmtpd.controller import Controller


def slack(folder: Path) -> web.Application:
    """Accepts incoming-webhook posts at /services/desk; one JSON file each."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0

    async def take(request: web.Request) -> web.Response:
        nonlocal count
        count += 1
        payload = await request.json()
        text = json.dumps(payload, ensure_ascii=False, indent=2)
        (folder / f"{count:03}.json").write_text(text, encoding="utf-8")
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_post("/services/desk", take)
    return app


class Mailbox:
    """aiosmtpd's handler: each mail as .eml, and its HTML part beside it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._count = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self._count += 1
        path = self._folder / f"{self._count:03}.eml"
        path.write_bytes(envelope.content)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        html = message.get_body(("html",))
        if html is not None:
            path.with_suffix(".html").write_text(html.get_content(), encoding="utf-8")
        return "250 taken"


def mail_server(folder: Path) -> Controller:
    """A mail server on a free port of loopback, started; `.port` tells which."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(Mailbox(folder), hostname="127.0.0.1", port=port)
    controller.start()
    return controller
