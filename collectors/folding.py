"""One form a letter, for the lines of dates and page furniture that are compared with lists.

Articles themselves are never folded here: their text stays as it came.
"""

import unicodedata


class _Folding(dict[int, str]):
    """What `str.translate` asks of each character, found out once."""

    def __missing__(self, code: int) -> str:
        char = chr(code).lower()
        category = unicodedata.category(char[0])
        if category == "Nd":
            char = str(unicodedata.digit(char))
        elif category in ("Mn", "Cf"):  # vowel marks; bidi and zero-width characters
            char = ""
        elif category in ("Zs", "Cc"):
            char = " "
        self[code] = char
        return char


_LETTERS = _Folding()
for _form, _letters in {
    "ا": "أإآٱ",
    "ي": "ىی",
    "ه": "ة",
    "ك": "ک",
    "-": "−–—‑",
    ",": "،",
    ".": "٫",
    "": "ـ",
}.items():
    _LETTERS.update((ord(letter), _form) for letter in _letters)


def fold(text: str) -> str:
    """Lower case, alef and hamza forms as one, ASCII digits, no vowel marks or invisible
    characters, single spaces."""
    return " ".join(text.translate(_LETTERS).split())
