"""Why a message that is due is not sent now: pure.

| reason       | what holds it                                    | what becomes of it |
|--------------|--------------------------------------------------|--------------------|
| silenced     | silences that cover all it tells                 | nothing            |
| rule_limit   | its rule made more than so many an hour          | the next digest    |
| digest_only  | the receiver wants digests only                  | the next digest    |
| muted        | a mute time of its route                         | the next digest    |
| rate_limited | the receiver had as many as it wants             | the next digest    |
"""

from collections import deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from alerts.hours import Digest, MuteTime, muted_until
from alerts.routing import Match, Subject, Target
from streams.records import Alert, Delivery, Flag, Silence

Reason = Literal["silenced", "rule_limit", "digest_only", "muted", "rate_limited"]


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `messages` in any `seconds`."""

    messages: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Wishes:
    """What one receiver wants beside single messages."""

    limit: Limit | None = None
    digest: Digest | None = None

    def digest_at(self, now: datetime) -> datetime:
        """When what is held is told: without a digest of its own, as soon as may be."""
        return self.digest.next(now) if self.digest else now


NO_WISHES: Final = Wishes()


@dataclass(frozen=True, slots=True)
class Held:
    """`why` is for a person to read; `due` when a digest may tell it, None: never."""

    reason: Reason
    why: str
    due: datetime | None


@dataclass(slots=True)
class Recent:
    """When the latest messages were made, by receiver and by rule."""

    _times: dict[Hashable, deque[datetime]] = field(default_factory=dict)

    def count(self, key: Hashable, limit: Limit, now: datetime) -> int:
        times = self._times.get(key, deque())
        since = now - timedelta(seconds=limit.seconds)
        while times and times[0] <= since:
            times.popleft()
        return len(times)

    def frees(self, key: Hashable, limit: Limit, now: datetime) -> datetime:
        """When one more may be made, where as many as `limit` were: when the first of these is
        that long ago."""
        self.count(key, limit, now)
        times = self._times.get(key, deque())
        if len(times) < limit.messages:
            return now
        return times[-limit.messages] + timedelta(seconds=limit.seconds)

    def first(self, key: Hashable, limit: Limit, now: datetime) -> datetime:
        """The first of the time that `limit` looks at; `now` where there is none."""
        return self._times[key][0] if self.count(key, limit, now) else now

    def note(self, key: Hashable, at: datetime) -> None:
        self._times.setdefault(key, deque()).append(at)


@dataclass(frozen=True, slots=True)
class Gate:
    """All that may hold a message, as configured."""

    wishes: Mapping[str, Wishes] = field(default_factory=dict)
    mutes: Mapping[str, MuteTime] = field(default_factory=dict)
    rule_limit: Limit = Limit(300, 3600.0)

    @property
    def memory_s(self) -> float:
        """How far back its limits look."""
        limits = [wishes.limit for wishes in self.wishes.values() if wishes.limit]
        return max(limit.seconds for limit in (self.rule_limit, *limits))

    def note(self, recent: Recent, alert: Alert, at: datetime) -> None:
        """Count a message made, as limits ask for it."""
        if self.wishes.get(alert.receiver, NO_WISHES).limit:
            recent.note(("receiver", alert.receiver), at)
        if rule := rule_of(alert):
            recent.note(("rule", rule), at)
        if alert.about:
            recent.note(("notices", alert.receiver), at)
            recent.note(("tripped", alert.about), at)

    def counted(self, deliveries: Iterable[Delivery], now: datetime) -> Recent:
        """The messages made lately, of these."""
        recent, since = Recent(), now - timedelta(seconds=self.memory_s)
        made = [
            each.alert
            for each in deliveries
            if each.edits is None
            and each.status not in ("held", "silenced")
            and each.alert.created > since
        ]
        for alert in sorted(made, key=lambda alert: alert.created):
            self.note(recent, alert, alert.created)
        return recent

    def judge(
        self,
        alert: Alert,
        target: Target,
        silences: Iterable[Silence],
        recent: Recent,
        now: datetime,
    ) -> Held | None:
        """Why `alert` is held; None when it may go."""
        wishes = self.wishes.get(alert.receiver, NO_WISHES)
        digest = wishes.digest_at(now)
        quiet = covering(alert, target, silences, now)
        if quiet:
            why = "; ".join(
                f"silence {each.id} by {each.author} until {each.ends:%Y-%m-%d %H:%M} UTC:"
                f" {each.reason}"
                for each in quiet
            )
            return Held("silenced", why, None)
        rule = rule_of(alert)
        if rule and recent.count(("rule", rule), self.rule_limit, now) >= self.rule_limit.messages:
            limit = self.rule_limit
            why = f"rule {rule} made {limit.messages} messages in {limit.seconds:g} s"
            # All of an hour at once, counted from the first.
            tripped = recent.first(("tripped", f"rule/{rule}"), limit, now)
            return Held("rule_limit", why, max(digest, tripped + timedelta(seconds=limit.seconds)))
        if wishes.digest is not None and wishes.digest.only:
            return Held("digest_only", f"receiver {alert.receiver} has digest.only", digest)
        muted = muted_until([self.mutes[name] for name in target.mute if name in self.mutes], now)
        if muted is not None:
            why = f"mute time {', '.join(target.mute)} of {target.path}"
            return Held("muted", why, max(digest, muted))
        most = wishes.limit
        if most and recent.count(("receiver", alert.receiver), most, now) >= most.messages:
            why = f"receiver {alert.receiver} has rate_limit {most.messages} in {most.seconds:g} s"
            room = recent.frees(("receiver", alert.receiver), most, now)
            return Held("rate_limited", why, max(digest, room))
        return None


NO_GATE: Final = Gate()


def covering(
    alert: Alert, target: Target, silences: Iterable[Silence], now: datetime
) -> Sequence[Silence]:
    """The silences that hold at `now` and together cover all that `alert` tells its receiver;
    none when something is left."""
    flags = target.flags or alert.flags
    left = list(flags)
    used = []
    for silence in silences:
        if not silence.created <= now < silence.ends:
            continue
        if silence.receiver not in (None, alert.receiver):
            continue
        if silence.story is not None and silence.story not in {
            part.story_id for part in alert.stories
        }:
            continue
        if silence.story is not None and not silence.match:
            return [silence]
        hidden = _hidden(silence, Subject(flags, alert.source, alert.language))
        if hidden:
            left = [flag for flag in left if flag not in hidden]
            used.append(silence)
    return used if flags and not left else ()


def _hidden(silence: Silence, subject: Subject) -> Sequence[Flag]:
    """The flags that a silence covers. What an article tells besides and at no place of its own is
    where the rest is."""
    match = Match(**silence.match)  # type: ignore[arg-type]  # only keys that hold lists
    hidden = match.flags(subject)
    if not hidden or not match.place:
        return hidden
    there = {(flag.theme, code) for flag in hidden for code in flag.countries}
    placeless = tuple(
        flag
        for flag in subject.flags
        if not flag.places and any((flag.theme, code) in there for code in flag.countries)
    )
    anywhere = replace(match, place=())
    return (*hidden, *anywhere.flags(replace(subject, flags=placeless)))


def rule_of(alert: Alert) -> str:
    """The rule that a message is owed to: of its strongest flag."""
    return max(alert.flags, key=lambda flag: flag.score).rule if alert.flags else ""
