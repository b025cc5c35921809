"""An HTTP proxy on loopback: CONNECT and plain requests, to servers of the test under any name."""

import asyncio
import base64
import threading
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit


class ProxyServer:
    """`names` maps a host to the port on 127.0.0.1 that plays it; others get a 502. With
    `login` ("user:password") it asks who one is. `asked`: the first line of each request."""

    def __init__(self, names: dict[str, int], login: str | None = None) -> None:
        self.names = names
        self.login = login
        self.asked: list[str] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *fields = head.split("\r\n")
            self.asked.append(first)
            method, target, version = first.split(" ")
            wanted = base64.b64encode((self.login or "").encode()).decode()
            if self.login and f"Proxy-Authorization: Basic {wanted}" not in fields:
                writer.write(b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            else:
                parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
                port = self.names.get(parts.hostname or "")
                if port is None:
                    writer.write(
                        b"HTTP/1.1 502 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    )
                else:
                    there, to = await asyncio.open_connection("127.0.0.1", port)
                    if method == "CONNECT":
                        writer.write(b"HTTP/1.1 200 Here\r\n\r\n")
                    else:
                        path = parts.path + (f"?{parts.query}" if parts.query else "")
                        to.write("\r\n".join([f"{method} {path} {version}", *fields]).encode())
                    await asyncio.gather(_pump(reader, to), _pump(there, writer))
            await writer.drain()
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()
