"""Raw text to tokens, sentences and clauses. Every position is a raw offset.

One regex of single-character classes runs once over the raw string. A token is a run of
letters, digits and the marks that may stand inside a word (diacritics, tatweel, zero-width
and bidi marks); every other visible character is a token of its own. `findall` alone, and
a dictionary look-up a token, tells whether a text is worth more; offsets are computed only
then. Nothing here knows a language.
"""

import re
from dataclasses import dataclass, field
from itertools import compress
from typing import Final

# Letters and digits of the scripts met, and what may stand inside a word: Arabic marks,
# tatweel, zero-width and bidi controls, soft hyphen, combining accents. Punctuation,
# symbols and underscores (#وقف_إطلاق_النار) are left out.
_WORD: Final = (
    "0-9A-Za-z\u00aa\u00ad\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02c1\u0300-\u036f"
    "\u0370-\u037d\u037f-\u0386\u0388-\u0559\u0560-\u0588\u0591-\u05bd\u05d0-\u05f2"
    "\u0610-\u061a\u061c\u0620-\u0669\u066e-\u06d3\u06d5-\u06e8\u06ea-\u06fc\u06ff\u0750-\u077f"
    "\u0870-\u08ff\u0900-\u1fff\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2c00-\u2dff\u3040-\ud7ff"
    "\uf900-\ufb06\ufb1d-\ufdff\ufe70-\ufeff\U00010000-\U0001efff"
)
TOKEN: Final = re.compile(f"[{_WORD}]+|[^{_WORD}\\s_]|\\n")

STOP: Final = frozenset(".!?؟…\n۔")  # a sentence ends
PAUSE: Final = frozenset("،,؛;:-–—()[]{}|/•*")  # a clause ends
COMMAS: Final = frozenset("،,-–—")
INSERTION_MAX_TOKENS: Final = 4
AND: Final = "و"  # behind a comma it begins a clause
DATELINE_TOKENS: Final = 12
FULL_SENTENCE_WORDS: Final = 4  # shorter lines (bylines, page furniture) move no lead down
MAX_SENTENCE_TOKENS: Final = 300  # longer ones are cut: text without a full stop costs no more
JOINER: Final = "\u2010"  # what a hyphen inside a word is read as
ZERO_WIDTH: Final = ("\u200b", "\u200c")  # a space, and what keeps letters from joining
QUOTES: Final = frozenset("\"'«»“”‘’„‹›`" + JOINER)  # looked across

_MARKS: Final = STOP | PAUSE
_HYPHEN: Final = re.compile(r"(?<=[^\W_])-(?=[^\W_])")

_AFTER_PLACE: Final = frozenset("-–—:(/|،,") | {"«", '"'}  # what a dateline goes on with
_DATELINE_ENDS: Final = frozenset("-–—:")

HEADLINE_MAX_CHARS: Final = 160


@dataclass(slots=True)
class Sentence:
    """Tokens `first` to `last` (exclusive) of a page. `index` counts full body sentences
    from 0; the headline's is -1."""

    first: int
    last: int
    index: int
    tokens: list[str] = field(repr=False)  # of the whole page
    _clauses: list[int] | None = None

    @property
    def clauses(self) -> list[int]:
        """The token at which each next clause begins; looked for when first asked."""
        if self._clauses is None:
            self._clauses = _clauses(self)
        return self._clauses

    def cut(self, at: set[int]) -> None:
        """Let clauses begin at these tokens too."""
        self._clauses = sorted(at.union(self.clauses))


def words(text: str) -> list[str]:
    """The tokens of a text, without their places."""
    return TOKEN.findall(text)


def joined(text: str) -> str:
    """The text with the hyphens inside its words told from dashes (Saudi-led, F-15,
    كركوك-جيهان), and apart what nothing but a zero-width mark divides (إطلاق النار). As long
    as the text, so that places stay."""
    for mark in ZERO_WIDTH:
        if mark in text:
            text = text.replace(mark + "ال", JOINER + "ال")
    return _HYPHEN.sub(JOINER, text) if "-" in text else text


def places(text: str) -> list[int]:
    """Where each token of `words(text)` begins."""
    return [match.start() for match in TOKEN.finditer(text)]


def split_headline(text: str) -> tuple[str, str, int]:
    """Headline, body, and the body's offset in `text`: the first line is a headline when
    it is shorter than 160 characters and others follow."""
    head, newline, rest = text.partition("\n")
    if newline and 0 < len(head.strip()) < HEADLINE_MAX_CHARS and rest.strip():
        return head, rest, len(head) + 1
    return "", text, 0


def _joins(tokens: list[str], i: int) -> bool:
    """Whether the full stop at `i` stands inside a number or an abbreviation."""
    if not 0 < i < len(tokens) - 1:
        return False
    before, after = tokens[i - 1], tokens[i + 1]
    if before[-1:].isdigit() and after[:1].isdigit():
        return True
    return len(before) == 1 and before.isalpha() and after not in STOP  # د. فلان, أ.ف.ب, U.S.


def dateline(tokens: list[str], first: int, place: int, last: int) -> int:
    """The token behind the dateline that a sentence from `first` to `last` begins with, its place
    ending at `place`: «نيويورك – (رويترز) –», «صنعاء، 3 مايو (شينخوا) --», «عدن: خاص». 0 for
    none."""
    if place >= last or not (tokens[place] in _AFTER_PLACE or tokens[place].isdigit()):
        return 0
    ends = [
        i for i in range(place, min(last, first + DATELINE_TOKENS)) if tokens[i] in _DATELINE_ENDS
    ]
    return ends[-1] + 1 if ends else 0


def sentences(tokens: list[str], *, headline: bool = False) -> list[Sentence]:
    """Cut a token list at sentence ends; those without a word are left out."""
    found: list[Sentence] = []
    first, index = 0, -1 if headline else 0
    ends = compress(range(len(tokens)), map(STOP.__contains__, tokens))
    for end in (*ends, len(tokens)):
        if end < len(tokens) and tokens[end] == "." and _joins(tokens, end):
            continue
        count = _words(tokens, first, end)
        if count:
            while end - first > MAX_SENTENCE_TOKENS:
                found.append(Sentence(first, first + MAX_SENTENCE_TOKENS, index, tokens))
                first += MAX_SENTENCE_TOKENS
            found.append(Sentence(first, end, index, tokens))
            if not headline and count >= FULL_SENTENCE_WORDS:
                index += 1
        first = end + 1
    return found


def _words(tokens: list[str], first: int, end: int) -> int:
    """How many tokens are no mark; FULL_SENTENCE_WORDS is as far as is counted."""
    enough = first + FULL_SENTENCE_WORDS
    if end >= enough and _MARKS.isdisjoint(tokens[first:enough]):
        return FULL_SENTENCE_WORDS
    count = 0
    for i in range(first, end):
        if tokens[i] not in _MARKS:
            count += 1
            if count == FULL_SENTENCE_WORDS:
                break
    return count


def _clauses(sentence: Sentence) -> list[int]:
    clauses: list[int] = []
    tokens, span = sentence.tokens, range(sentence.first, sentence.last)
    closed = -1 - INSERTION_MAX_TOKENS  # the token behind the last insertion
    for i in compress(span, map(PAUSE.__contains__, tokens[span.start : span.stop])):
        # A short insertion (، فجر اليوم،), or two, does not end the clause it stands in.
        if tokens[i] not in COMMAS:
            clauses.append(i + 1)
        elif clauses and i - clauses[-1] <= INSERTION_MAX_TOKENS:
            clauses.pop()
            closed = i + 1
        elif i - closed <= INSERTION_MAX_TOKENS and not _goes_on(tokens, i):
            closed = i + 1
        else:
            clauses.append(i + 1)
    return clauses


def _goes_on(tokens: list[str], comma: int) -> bool:
    """Whether a comma is followed by «و…», which begins a clause of its own."""
    return comma + 1 < len(tokens) and tokens[comma + 1].startswith(AND)
