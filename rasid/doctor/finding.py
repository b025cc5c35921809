"""What a check looks at, and what it finds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from rasid.config import Config
from rasid.doctor.knocks import Knocks

Status = Literal["ok", "warning", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence, and what to do about it; a `warning` may pass, a `wrong` needs somebody."""

    check: str
    status: Status
    said: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """A configuration, and where it came from. `clock` answers an aware datetime in UTC."""

    config: Config
    clock: Callable[[], datetime]
    path: Path | None = None
    send_test: bool = False
    knocks: Knocks = field(default_factory=Knocks)


Check = Callable[[Patient], Iterable[Finding]]
