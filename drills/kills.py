"""Kill -9 of any stage at a random moment, over and over; nothing may be lost.

    uv run python -m drills.kills --log kafka --kills 500 [--seed 1]
    uv run python -m drills.kills --log sqlite --kills 500

A world publishes numbered articles, each worth a message, and a mail server counts what comes.
`rasid collect`, `process` and `alert` run as processes of their own. Each round one of them, once
it has made progress since its start, is held until there is work for it, goes on, is killed after
a moment of chance and started again. Afterwards all is waited for, and what came is held against
what was published, and what was decided. Exit code 1 when a promise is broken.
"""

import argparse
import email
import email.policy
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from alerts.mail import message_id
from drills.world import (
    STAGES,
    Processes,
    Publisher,
    Watch,
    articles_found,
    configuration,
    ledger,
    sound,
    wait,
    went_back,
)
from rasid.app import now
from rasid.demo.broker import Brokers
from rasid.demo.sinks import mail_server
from streams.carriers import open_log
from streams.log import Log
from tests.fakes.newssite import NewsSite

SENDER = "rasid@example.org"
PUBLISHED_A_ROUND = 6
PROGRESS_S = 180.0  # on a machine that does much else
DRAIN_S = 180.0
NO_LIMIT = "alerts: {rule_limit: 100000/1h}\n"  # nothing is held: all comes to be counted
AHEAD_LIMIT = 100  # articles published and not yet there: a feed shows the newest 200
GATHER_S = 3.0
LINGER_S = 0.3  # at most, from going on to the kill, mostly shorter
TELL_KILLS = 25


@dataclass
class Outcome:
    """What a drill found."""

    kills: Counter[str] = field(default_factory=Counter)
    amid_work: Counter[str] = field(default_factory=Counter)  # of these, with work left to do
    published: int = 0
    articles: int = 0
    articles_lost: int = 0
    articles_repeated: int = 0
    reports_lost: int = 0
    reports_repeated: int = 0
    letters: int = 0  # dead ones
    alerts: int = 0
    alerts_lost: int = 0  # decided and not in the ledger, or in it and not sent
    alerts_repeated: int = 0  # in the ledger
    mails_repeated: int = 0
    positions_went_back: int = 0
    sound: bool = True
    details: Sequence[str] = ()  # of what is lost
    seconds: float = 0.0

    @property
    def kept(self) -> bool:
        """Whether every promise was."""
        return (
            self.articles_lost == self.articles_repeated == 0
            and self.reports_lost == self.reports_repeated == self.letters == 0
            and self.alerts_lost == self.alerts_repeated == 0
            and self.mails_repeated <= self.kills["alert"]
            and self.positions_went_back == 0
            and self.sound
            and self.alerts > 0
        )


def drill(
    log_url: str,
    folder: Path,
    *,
    kills: int,
    seed: int = 1,
    limit_s: float = float("inf"),
    tell: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Run it, for `limit_s` at most; raises RuntimeError where a stage ends by itself or makes no
    progress."""
    chance = random.Random(seed)  # the moment within the work is the scheduler's choice too
    outcome = Outcome()
    began = time.monotonic()
    with ExitStack() as stack:
        sites = [stack.enter_context(NewsSite([])) for _ in range(3)]
        publisher = Publisher(sites, chance)
        mail = mail_server(folder / "mail")
        stack.callback(mail.stop)
        config = folder / "rasid.yaml"
        sink = (
            f"email: {{from: {SENDER}, to: [editors@example.org], "
            f"smtp: 'smtp://127.0.0.1:{mail.port}', tls: none}}"
        )
        config.write_text(
            configuration(log_url, sites, {"editors": sink}, NO_LIMIT), encoding="utf-8"
        )
        stages = Processes(folder)
        stack.callback(stages.end)
        log = stack.enter_context(closing(open_log(log_url, clock=now, instance="watcher")))

        watch = Watch(log, publisher, folder / "mail")

        def publish() -> None:
            if watch.waiting("collect") < AHEAD_LIMIT:
                publisher.publish(PUBLISHED_A_ROUND, now())

        def start(name: str) -> None:
            stages.start(name, "rasid", name, "--config", str(config))

        for name in STAGES:
            start(name)
        stood: dict[str, int] = {}
        since = dict.fromkeys(STAGES, 0)  # progress when the stage was last started
        for number in range(1, kills + 1):
            if time.monotonic() - began > limit_s:
                break
            name = chance.choice(STAGES)
            further = _further(watch, name, since[name])
            wait(further, f"progress of {name}", stages, PROGRESS_S, publish)
            with stages.held(name):
                publish()
                _gather(watch, name)
            time.sleep(chance.random() ** 3 * LINGER_S)
            stages.kill(name)
            outcome.kills[name] += 1
            outcome.amid_work[name] += watch.waiting(name) > 0
            outcome.positions_went_back += went_back(log, stood)
            since[name] = watch.progress(name)
            start(name)
            if number % TELL_KILLS == 0:
                tell(f"{time.monotonic() - began:.0f} s: {outcome.kills}, {outcome.amid_work}")
        outcome.published = publisher.published
        wait(watch.drained, "all to be done", stages, DRAIN_S)
        stages.end()
        outcome.articles, outcome.articles_lost, outcome.articles_repeated = articles_found(
            log, publisher.addresses()
        )
        _judge(log, folder, outcome)
        if not outcome.kept:
            outcome.details = (*outcome.details, f"positions: {log.positions()}, lag: {log.lag()}")
        outcome.sound = sound(log_url)
    outcome.seconds = time.monotonic() - began
    return outcome


def _further(watch: Watch, name: str, since: int) -> Callable[[], bool]:
    return lambda: watch.progress(name) > since


def _gather(watch: Watch, name: str) -> None:
    """Until it has several things to do, where that does not take long."""
    end = time.monotonic() + GATHER_S
    while watch.waiting(name) < PUBLISHED_A_ROUND // 2 and time.monotonic() < end:
        time.sleep(0.02)


def _judge(log: Log, folder: Path, outcome: Outcome) -> None:
    owed = ledger(log)
    outcome.reports_lost, outcome.reports_repeated = owed.reports_lost, owed.reports_repeated
    outcome.letters = owed.letters
    outcome.details = owed.details
    due = {message_id(alert.id, SENDER) for alert in owed.alerts}
    outcome.alerts = len(due)
    outcome.alerts_repeated = len(owed.alerts) - len(due)
    arrived = Counter(
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default)["Message-ID"]
        for path in (folder / "mail").glob("*.eml")
    )
    outcome.alerts_lost = owed.undecided + owed.untold + len(due - arrived.keys())
    outcome.mails_repeated = arrived.total() - len(arrived)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--log", choices=("sqlite", "kafka"), default="sqlite")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="at most")
    wanted = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="rasid-drill-"))
    with ExitStack() as stack:
        url = f"sqlite://{folder}/rasid.db"
        if wanted.log == "kafka":
            url = stack.enter_context(Brokers(folder / "kafka")).url
        outcome = drill(
            url,
            folder,
            kills=wanted.kills,
            seed=wanted.seed,
            limit_s=wanted.minutes * 60,
            tell=partial(print, flush=True),
        )
    if outcome.kept:
        shutil.rmtree(folder)
    else:
        print(f"what there is lies in {folder}")
    print(outcome)
    print("every promise was kept" if outcome.kept else "A PROMISE WAS BROKEN")
    return 0 if outcome.kept else 1


if __name__ == "__main__":
    sys.exit(main())
