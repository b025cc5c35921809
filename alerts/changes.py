"""What a Report may change, and the names of what is decided."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

from streams.records import Flag, State, Story

Kind = Literal["opened", "changed", "confirmed", "corrected"]
# Why a Report brought a message, or none. The metric's label and the article's `decision`.
Outcome = Literal[
    "opened",
    "changed",
    "confirmed",
    "corrected",
    "joined",  # tells what its story knows
    "copy",  # repeats the text of an article in its story
    "late",  # tells what came before that which its story knows
    "passing",  # mentions the event of another story
    "revision",  # a later revision that changes nothing told
    "repeated",  # a revision already seen, or an older one
    "too_old",  # published longer than max_age before it was first seen
    "undated",  # no date of publication, in the first poll of its feed
    "backfill",
    "background",  # only what is past, or passing, and no story of it
    "no_flags",  # nothing flagged, and no story to update
]
OUTCOMES: Final[tuple[str, ...]] = get_args(Outcome)


@dataclass(frozen=True, slots=True)
class Change:
    """A story as it is now. `flags` are those of the Report that it took, `struck` what no
    article tells any more; `alertable` whether the Report may be told to anybody."""

    story: Story
    outcome: Outcome
    flags: tuple[Flag, ...]
    before: Story | None = None
    struck: tuple[State, ...] = ()
    alertable: bool = False

    @property
    def kind(self) -> Kind | None:
        """What a message about it is; None when none is due."""
        match self.outcome:
            case "opened" | "changed" | "confirmed" | "corrected":
                return self.outcome
        return None


@dataclass(frozen=True, slots=True)
class Decision:
    """`outcome` is that of the most telling change."""

    outcome: Outcome
    changes: tuple[Change, ...] = ()
