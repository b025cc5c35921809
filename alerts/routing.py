"""Which receivers a Report goes to: a tree of routes, with Alertmanager's semantics.

The root matches everything. A Report that matches a route is offered to its children in
order; the first that matches takes it, and the ones after it are looked at only when that
one says `continue`. When no child matches, the route's own receiver gets it.

A route matches when one flag of the Report meets all of its conditions together; children
are offered only the flags that matched their parent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from streams.records import Flag, Report


@dataclass(frozen=True, slots=True)
class Match:
    """Conditions; an empty one is met by anything, a list by any of its values."""

    theme: tuple[str, ...] = ()
    development: tuple[str, ...] = ()
    country: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    min_score: float | None = None

    def flags(self, report: Report, flags: Sequence[Flag]) -> list[Flag]:
        """Those of `flags` that meet all conditions."""
        if not _among(report.source, self.source) or not _among(report.language, self.language):
            return []
        return [flag for flag in flags if self._meets(flag)]

    def _meets(self, flag: Flag) -> bool:
        return (
            _among(flag.theme, self.theme)
            and _among(flag.development, self.development)
            and (not self.country or any(_among(code, self.country) for code in flag.countries))
            and (self.min_score is None or flag.score >= self.min_score)
        )


@dataclass(frozen=True, slots=True)
class Route:
    receiver: str
    match: Match = Match()
    routes: tuple["Route", ...] = ()
    continue_: bool = False


def receivers_for(route: Route, report: Report) -> list[str]:
    """Names of the receivers, in the order of the tree, each once."""
    return list(dict.fromkeys(_walk(route, report, report.flags)))


def _walk(route: Route, report: Report, flags: Sequence[Flag]) -> list[str]:
    found: list[str] = []
    for child in route.routes:
        matched = child.match.flags(report, flags)
        if matched:
            found += _walk(child, report, matched)
            if not child.continue_:
                break
    return found or [route.receiver]


def _among(value: str, values: tuple[str, ...]) -> bool:
    return not values or value.casefold() in {each.casefold() for each in values}
