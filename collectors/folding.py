"""One form a letter, for the lines of dates and page furniture that are compared with lists.

Articles themselves are never folded here: their text stays as it came.
"""

import unicodedata

_LETTERS = str.maketrans(
    {
        **dict.fromkeys("أإآٱ", "ا"),
        **dict.fromkeys("ىیئ", "ي"),
        **dict.fromkeys("−–—‑", "-"),
        "ة": "ه",
        "ک": "ك",
        "ـ": "",
        "،": ",",
        "٫": ".",
    }
)


def fold(text: str) -> str:
    """Lower case, alef and hamza forms as one, ASCII digits, no vowel marks or invisible
    characters, single spaces."""
    out = []
    for char in text.translate(_LETTERS).lower():
        if char.isascii():
            out.append(char if char > " " else " ")
            continue
        category = unicodedata.category(char)
        if category == "Nd":
            out.append(str(unicodedata.digit(char)))
        elif category not in ("Mn", "Cf"):
            out.append(" " if category in ("Zs", "Cc") else char)
    return " ".join("".join(out).split())
