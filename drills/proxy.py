"""A TCP proxy on loopback that drops half of the connections, while it is told to."""

import asyncio
import random
import socket
import struct
import threading
from contextlib import suppress
from typing import Final

LIVES_S: Final = 1.0  # at most, a connection that is to be dropped
PIECE: Final = 64 * 1024


class Proxy:
    """Passes on to `upstream`, a port of loopback. Use as a context; `dropped` counts."""

    def __init__(self, upstream: int, seed: int = 1, port: int = 0) -> None:
        self.upstream = upstream
        self.port = port
        self.dropped = 0
        self._dropping = False
        self._chance = random.Random(seed)
        self._live: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "Proxy":
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._pass, "127.0.0.1", self.port), self._loop
        ).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end)
        self._thread.join(10)

    def _end(self) -> None:
        self._server.close()
        for writer in list(self._live):
            writer.transport.abort()
        self._loop.call_later(0.05, self._loop.stop)

    def drop(self, dropping: bool) -> None:
        """From now on half of what comes, and half of what is there, is cut within a second;
        or nothing any more."""
        self._loop.call_soon_threadsafe(self._drop, dropping)

    def _drop(self, dropping: bool) -> None:
        self._dropping = dropping
        if dropping:
            for writer in list(self._live):
                self._maybe_doom(writer)

    def _maybe_doom(self, writer: asyncio.StreamWriter) -> None:
        if self._chance.random() < 0.5:
            self._loop.call_later(self._chance.random() * LIVES_S, self._cut, writer)

    def _cut(self, writer: asyncio.StreamWriter) -> None:
        if writer in self._live and self._dropping:
            self.dropped += 1
            there = writer.get_extra_info("socket")
            with suppress(OSError):  # a reset, not an end
                there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            writer.transport.abort()
            return
        self._live.add(writer)
        if self._dropping:
            self._maybe_doom(writer)
        try:
            pumps = [
                asyncio.ensure_future(_pump(*ends)) for ends in ((reader, back), (there, writer))
            ]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
        finally:
            self._live.discard(writer)
            for end in (writer, back):
                end.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
