"""Ids that are made, not drawn: the same of the same, so that a replay makes nothing twice."""

import xxhash


def made_id(*parts: str) -> str:
    digest: str = xxhash.xxh3_128_hexdigest("\0".join(parts).encode("utf-8", "replace"))
    return digest
