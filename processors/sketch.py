"""Near-duplicate sketches: which texts repeat which, also cut or edited.

A text's shingles (four words in a row, folded) are hashed, and those whose hash falls in a
fixed share of the range are kept: the same shingle is kept or dropped in every text, so
that the sketch of a cut copy is a part of the original's. `containment` is the share of the
smaller sketch found in the larger. Measured (tests/processors/test_sketch.py): a copy cut
to a quarter keeps 1.0, one with a tenth of its words changed about 0.65, two reports of one
war below 0.1; 0.4 divides them.
"""

from collections.abc import Sequence
from typing import Final

import xxhash

from processors.arabic import fold
from processors.text import words

BITS: Final = 53  # what a JSON number carries exactly
SHARE: Final = 4  # one shingle in so many is kept
MAX_KEPT: Final = 256  # of a long text the lowest hashes only
_MASK: Final = (1 << BITS) - 1
_LIMIT: Final = (1 << BITS) // SHARE
_MAX_CACHED: Final = 100_000


class _Hashes(dict[str, int]):
    """Raw token → hash of its folded form; 0 for what is no word."""

    def __missing__(self, token: str) -> int:
        if len(self) >= _MAX_CACHED:
            self.clear()
        folded = fold(token)
        known = len(folded) > 1 or folded.isalnum()
        value = self[token] = (
            xxhash.xxh3_64_intdigest(folded.encode("utf-8", "replace")) if known else 0
        )
        return value


_hashes: Final = _Hashes()


def sketch(text: str) -> tuple[int, ...]:
    """The sampled shingles of a text, ascending; ints below 2**53, at most 256. Empty for
    texts shorter than four words."""
    values = [value for value in map(_hashes.__getitem__, words(text)) if value]
    kept = {
        shingle
        for a, b, c, d in zip(values, values[1:], values[2:], values[3:], strict=False)
        if (shingle := ((((a * 31 + b) * 31 + c) * 31 + d) * 0x9E3779B97F4A7C15 >> 11) & _MASK)
        < _LIMIT
    }
    return tuple(sorted(kept)[:MAX_KEPT])


def containment(a: Sequence[int], b: Sequence[int]) -> float:
    """Share of the smaller text that the other repeats, 0 to 1; 0 when one has no sketch.

    A sketch that was cut at 256 says nothing above its highest hash: both are compared up
    to there."""
    limit = min(_reach(a), _reach(b))
    one, other = {x for x in a if x <= limit}, {x for x in b if x <= limit}
    smaller = min(len(one), len(other))
    return len(one & other) / smaller if smaller else 0.0


def _reach(sketched: Sequence[int]) -> int:
    return sketched[-1] if len(sketched) >= MAX_KEPT else _LIMIT
