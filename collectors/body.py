"""Read an answer's body, bounded as sent and as unpacked.

A gzip of 16 KB can unpack to 16 MB and one inside another to anything: unpacking stops at
the cap, and never holds more than the cap and one piece. Only what `ACCEPT_ENCODING` asks
for is understood; zlib alone cannot do `br` or `zstd`, and nobody sends them unasked.
"""

import zlib
from collections.abc import AsyncIterator

from collectors.errors import FetchError

ACCEPT_ENCODING = "gzip, deflate"


async def read_body(
    chunks: AsyncIterator[bytes], *, url: str, encoding: str, max_bytes: int
) -> bytes:
    """The whole body, unpacked.

    Raises FetchError: too_large past `max_bytes`, bad_encoding when it cannot be unpacked,
    disconnected when it ends in the middle."""
    unpack = _unpacker(url, encoding)
    out = bytearray()
    sent = 0
    async for chunk in chunks:
        sent += len(chunk)
        if sent > max_bytes:
            raise _too_large(url, max_bytes)
        if unpack is None:
            out += chunk
            continue
        try:
            out += unpack.feed(chunk, max_bytes + 1 - len(out))
        except zlib.error as error:
            raise FetchError(
                f"{url}: the body is no {encoding}, as it says", reason="bad_encoding", url=url
            ) from error
        if len(out) > max_bytes:
            raise _too_large(url, max_bytes)
    if unpack is not None and sent and not unpack.complete:
        raise FetchError(
            f"{url}: the body ends in the middle", reason="disconnected", retryable=True, url=url
        )
    return bytes(out)


def read_packed(data: bytes, *, url: str, max_bytes: int) -> bytes:
    """A gzip file, unpacked.

    Raises zlib.error when it is none, FetchError(too_large) past `max_bytes`."""
    out = _Unpacker(gzip=True).feed(data, max_bytes + 1)
    if len(out) > max_bytes:
        raise _too_large(url, max_bytes)
    return out


class _Unpacker:
    """gzip (several members too) or deflate (with and without zlib's header)."""

    def __init__(self, *, gzip: bool) -> None:
        self._wbits = 31 if gzip else 15
        self._gzip = gzip
        self._inner = zlib.decompressobj(self._wbits)
        self._started = False

    @property
    def complete(self) -> bool:
        return self._inner.eof

    def feed(self, data: bytes, room: int) -> bytes:
        """At most `room` bytes more; what does not fit shows as exactly `room`."""
        out = bytearray()
        while data and len(out) < room:
            if self._inner.eof:
                if not self._gzip or not data.startswith(b"\x1f\x8b"):
                    break  # padding after the end, which real servers send
                self._inner = zlib.decompressobj(self._wbits)
            try:
                out += self._inner.decompress(data, room - len(out))
            except zlib.error:
                if self._gzip or self._started:
                    raise
                self._inner = zlib.decompressobj(-15)
                out += self._inner.decompress(data, room - len(out))
            self._started = True
            data = self._inner.unused_data if self._inner.eof else self._inner.unconsumed_tail
        return bytes(out)


def _unpacker(url: str, encoding: str) -> _Unpacker | None:
    name = encoding.strip().lower()
    if name in ("", "identity", "none", "utf-8"):  # the last two: seen from real servers
        return None
    if name in ("gzip", "x-gzip"):
        return _Unpacker(gzip=True)
    if name == "deflate":
        return _Unpacker(gzip=False)
    raise FetchError(
        f"{url}: the body is packed as {name[:40]!r}, which was not asked for",
        reason="bad_encoding",
        url=url,
    )


def _too_large(url: str, max_bytes: int) -> FetchError:
    return FetchError(f"{url}: larger than {max_bytes:,} bytes", reason="too_large", url=url)
