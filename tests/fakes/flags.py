"""What a text is flagged for, by what it is."""

from processors.flagger import Document, Flagger
from streams.records import Flag


def found(
    flagger: Flagger, text: str, title: str = "", **more: object
) -> dict[tuple[str, str], Flag]:
    flags = flagger.flag(Document(title, text, "ar", **more))  # type: ignore[arg-type]
    return {(flag.theme, flag.development): flag for flag in flags}
