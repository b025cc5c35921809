"""What Rasid stands on is taken away, and given back; all must arrive afterwards, without a flood.

    uv run python -m drills.outages [NAME ...] [--span 60] [--log kafka]

A world publishes numbered articles; two receivers count what comes. `rasid run` works. Then, one
after the other, each trouble lasts for a span, while the world goes on publishing; afterwards all
is waited for. At the end what came is held against what was published and what the ledger says:
nothing lost, nothing twice but what a cut connection left in doubt, each story told in its order.
Exit code 1 when a promise is broken. The troubles, by where they can be made:

    any log   busy mute gone day clock receivers-cut
    sqlite    locked full disk
    kafka     frozen broker cut one-of-three
"""

import argparse
import errno
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from drills.daemon import ROOM, Hand
from drills.proxy import Proxy
from drills.receiver import BUSY, GONE, MUTE, WELL, Asked, Receiver
from drills.world import (
    Processes,
    Publisher,
    articles_found,
    configuration,
    drained,
    sound,
    wait,
    went_back,
)
from rasid.app import now
from rasid.demo.broker import Broker, Brokers, free_ports
from streams import records
from streams.carriers import open_log
from streams.log import Log
from streams.records import Alert, decode
from tests.fakes.newssite import NewsSite

DRAIN_S: Final = 420.0  # the longest wait between two tries of a receiver is five minutes
FELT_S: Final = 60.0  # after a span, until a trouble must have been felt
EVERY_S: Final = 0.5  # an article is published
DAY_H: Final = 24
EARLY_S: Final = 0.5  # that a try may be taken to come before its time: two clocks, rounded


class NotHere(Exception):
    """This trouble cannot be made on this machine."""


@dataclass
class World:
    """What a trouble can lay hands on."""

    folder: Path
    hand: Hand
    desk: Receiver  # that which troubles befall
    wire: Receiver  # always well
    mail_way: Proxy  # to the desk
    log: Log
    processes: Processes
    publisher: Publisher
    brokers: Brokers | None = None
    log_way: Proxy | None = None  # to the broker
    broken: list[str] = field(default_factory=list)  # promises, in words
    in_doubt: int = 0  # messages whose answer may have been cut off

    def live(self, span_s: float, until: Callable[[], bool] = lambda: True) -> None:
        """Go on publishing, for longer where the trouble has not been felt yet."""
        end = time.monotonic() + span_s
        last = end + FELT_S
        while (now := time.monotonic()) < end or (now < last and not until()):
            self.publisher.publish(1, self.hand.now())
            self.processes.check()
            time.sleep(EVERY_S)

    def settle(self) -> None:
        self.publisher.publish(1, self.hand.now())
        done = self.publisher.published
        wait(lambda: drained(self.log, done), "all to be done", self.processes, DRAIN_S)

    def hold(self, holds: bool, promise: str) -> None:
        if not holds:
            self.broken.append(promise)

    def nodes(self) -> list[Broker]:
        assert self.brokers is not None
        return self.brokers.nodes


# --- receivers ----------------------------------------------------------------------------


def _moody(world: World, mood: str, span_s: float) -> list[Asked]:
    """The desk is in a mood; what it was asked meanwhile. The other receiver must not mind."""
    taken = len(world.wire.taken)
    began = len(world.desk.asked)
    world.desk.turn(mood)
    try:
        world.live(
            span_s,
            lambda: (
                len(world.wire.taken) > taken and (mood == GONE or len(world.desk.asked) > began)
            ),
        )
    finally:
        world.desk.turn(WELL)
    world.hold(len(world.wire.taken) > taken, f"a {mood} receiver delays no other")
    return world.desk.asked[began:]


def busy(world: World, span_s: float) -> None:
    """The receiver answers 429 with a Retry-After."""
    asked = _moody(world, BUSY, span_s)
    world.hold(bool(asked), "it was asked at all")
    gaps = [after.at - before.at for before, after in pairwise(asked)]
    least = world.desk.retry_after_s - EARLY_S
    world.hold(all(gap >= least for gap in gaps), f"Retry-After is waited for: {gaps}")


def mute(world: World, span_s: float) -> None:
    """The receiver accepts the connection and never answers."""
    asked = _moody(world, MUTE, span_s)
    world.hold(len(asked) <= 2 + span_s / 5, f"few hang at a mute receiver: {len(asked)}")


def gone(world: World, span_s: float) -> None:
    """The receiver refuses the connection."""
    _moody(world, GONE, span_s)


def day(world: World, span_s: float) -> None:
    """The receiver is away for a day, on the daemon's clock."""
    world.desk.turn(GONE)
    taken = len(world.wire.taken)
    for _ in range(DAY_H):
        world.hand.write(ahead_s=world.hand.ahead_s + 3600)
        world.live(span_s / DAY_H)
    world.live(0, lambda: len(world.wire.taken) > taken)
    world.hold(len(world.wire.taken) > taken, "a receiver away for a day delays no other")
    world.desk.turn(WELL)
    world.hand.write(ahead_s=world.hand.ahead_s + 360)  # the next try is due within minutes


def clock(world: World, span_s: float) -> None:
    """The clock is set back an hour, and stays so."""
    world.live(span_s / 2)
    world.hand.write(ahead_s=world.hand.ahead_s - 3600)
    world.live(span_s / 2)


def receivers_cut(world: World, span_s: float) -> None:
    """Half of the connections to the receiver are dropped, before or after it took the message."""
    before = world.mail_way.dropped
    world.mail_way.drop(True)
    world.live(span_s)
    world.mail_way.drop(False)
    world.in_doubt += world.mail_way.dropped - before


# --- the SQLite file ----------------------------------------------------------------------


def locked(world: World, span_s: float) -> None:
    """Another program keeps the file locked."""
    with closing(sqlite3.connect(world.folder / "rasid.db", isolation_level=None)) as other:
        other.execute("PRAGMA busy_timeout=10000")
        other.execute("BEGIN IMMEDIATE")
        world.live(span_s)
        other.execute("ROLLBACK")


def full(world: World, span_s: float) -> None:
    """The file may not grow by a page."""
    told = _told(world, "full")
    world.hand.write(pages=1)
    world.live(span_s, lambda: _told(world, "full") > told)
    world.hand.write(pages=ROOM)
    world.hold(_told(world, "full") > told, "a full disk is told")


def disk(world: World, span_s: float) -> None:
    """The disk itself is full: a tmpfs of some megabytes that another file fills."""
    if not (world.folder / "disk").is_mount():
        raise NotHere("a tmpfs for the log needs the right to mount")
    told = _told(world, "full")
    ballast = world.folder / "disk" / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
    world.live(span_s, lambda: _told(world, "full") > told)
    ballast.unlink()
    world.hold(_told(world, "full") > told, "a full disk is told")


def _told(world: World, reason: str) -> int:
    text = (world.folder / "daemon.log").read_text(errors="replace")
    return sum('"log_unavailable"' in line and f'"{reason}"' in line for line in text.splitlines())


# --- brokers ------------------------------------------------------------------------------


def frozen(world: World, span_s: float) -> None:
    """The broker keeps its connections and answers nothing."""
    (node,) = world.nodes()
    node.freeze()
    world.live(span_s)
    node.thaw()


def broker(world: World, span_s: float) -> None:
    """The broker is killed, and started again after a while."""
    (node,) = world.nodes()
    node.kill()
    world.live(span_s)
    node.start()
    node.wait()


def one_of_three(world: World, span_s: float) -> None:
    """Each of three brokers is killed in turn, and started again after a while."""
    for node in world.nodes():
        node.kill()
        world.live(span_s)
        node.start()
        node.wait()
        world.settle()


def cut(world: World, span_s: float) -> None:
    """Half of the connections to the broker are dropped."""
    assert world.log_way is not None
    way = world.log_way
    way.drop(True)
    world.live(span_s, lambda: way.dropped > 0)
    world.hold(way.dropped > 0, "connections were dropped at all")
    way.drop(False)


Trouble = Callable[[World, float], None]
ANY: Final[dict[str, Trouble]] = {
    "busy": busy, "mute": mute, "gone": gone, "receivers-cut": receivers_cut, "clock": clock,
    "day": day,
}  # fmt: skip
SQLITE: Final[dict[str, Trouble]] = {"locked": locked, "full": full, "disk": disk}
KAFKA: Final[dict[str, Trouble]] = {"frozen": frozen, "broker": broker, "cut": cut}
THREE: Final[dict[str, Trouble]] = {"one-of-three": one_of_three}
ALL: Final = {**ANY, **SQLITE, **KAFKA, **THREE}


@dataclass
class Outcome:
    """What a drill found. `settled_s`: from the end of each trouble until all was done."""

    settled_s: dict[str, float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    published: int = 0
    articles: int = 0
    alerts: int = 0
    stories_told_twice: int = 0  # stories with more than one message, whose order was looked at
    repeated: int = 0
    in_doubt: int = 0
    broken: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        return not self.broken


def drill(
    carrier: str,
    folder: Path,
    names: Sequence[str],
    *,
    span_s: float,
    brokers: Brokers | None = None,
    way: Proxy | None = None,
    seed: int = 1,
) -> Outcome:
    """Run it on a log of its own. `brokers`: for Kafka, with `way` the proxy that the daemon
    reaches them by. Raises RuntimeError where the daemon ends by itself, or not all is done in
    seven minutes."""
    outcome = Outcome()
    with ExitStack() as stack:
        home = folder
        if "disk" in names and _mounted(folder / "disk", stack):
            home = folder / "disk"
        url = daemons = f"sqlite://{home}/rasid.db"
        if carrier == "kafka":
            assert brokers is not None
            url = daemons = f"{brokers.url}/drill-{seed}-{'-'.join(names)}?partitions=3"
            if way is not None:
                inside = brokers.nodes[0].settings["rasid.inside"]
                daemons = url.replace(brokers.addresses, f"127.0.0.1:{way.port}")
                url = url.replace(brokers.addresses, f"127.0.0.1:{inside}")
        if home != folder:
            (folder / "rasid.db").symlink_to(home / "rasid.db")
        sites = [stack.enter_context(NewsSite([])) for _ in range(3)]
        desk, wire = (stack.enter_context(Receiver()) for _ in range(2))
        mail_way = stack.enter_context(Proxy(desk.port, seed))
        hand = Hand(folder / "hand.json")
        hand.write()
        config = folder / "rasid.yaml"
        sinks = {
            "desk": f"webhook: {{url: 'http://127.0.0.1:{mail_way.port}/'}}",
            "wire": f"webhook: {{url: 'http://127.0.0.1:{wire.port}/'}}",
        }
        # A message is worth sending for as long as the longest outage here, and some hours.
        more = "alerts: {max_age: 36h}\n"
        config.write_text(configuration(daemons, sites, sinks, more), encoding="utf-8")
        processes = Processes(folder)
        stack.callback(processes.end)
        processes.start("daemon", "drills.daemon", str(config), str(hand.path))
        log = stack.enter_context(closing(open_log(url, clock=now, instance="watcher")))
        publisher = Publisher(sites, random.Random(seed))
        world = World(folder, hand, desk, wire, mail_way, log, processes, publisher, brokers, way)
        stood: dict[str, int] = {}
        publisher.publish(5, hand.now())
        world.settle()
        went_back(log, stood)
        for name in names:
            try:
                ALL[name](world, span_s)
            except NotHere as error:
                outcome.left_out[name] = str(error)
                continue
            began = time.monotonic()
            world.settle()
            outcome.settled_s[name] = round(time.monotonic() - began, 1)
            world.hold(went_back(log, stood) == 0, f"{name}: no position goes back")
        processes.end()
        _judge(world, outcome)
        world.hold(sound(url), "the file is sound")
        outcome.broken = world.broken
    return outcome


def _mounted(path: Path, stack: ExitStack) -> bool:
    """Put a small tmpfs there; False where that is not allowed."""
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "none", str(path)]
    try:
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            return False
    except FileNotFoundError:
        return False
    stack.callback(subprocess.run, ["umount", "-l", str(path)], check=False)
    return True


def _judge(world: World, outcome: Outcome) -> None:
    log = world.log
    outcome.published = world.publisher.published
    outcome.articles, lost, twice = articles_found(log, world.publisher.addresses())
    world.hold(lost == 0, f"no article is lost: {lost}")
    world.hold(twice == 0, f"no article comes twice: {twice}")
    world.hold(not list(log.read(records.DEADLETTERS)), "there are no dead letters")
    ledger: list[Alert] = [decode(Alert, m.value) for m in log.read(records.ALERTS)]
    outcome.alerts = len(ledger)
    world.hold(bool(ledger), "there were alerts at all")
    world.hold(len({a.id for a in ledger}) == len(ledger), "no alert is in the ledger twice")
    outcome.in_doubt = world.in_doubt
    for name, receiver in (("desk", world.desk), ("wire", world.wire)):
        due = [alert for alert in ledger if alert.receiver == name]
        came = Counter(receiver.taken)
        missing = {alert.id for alert in due} - set(came)
        world.hold(not missing, f"every alert reaches {name}: {len(missing)} missing")
        repeated = came.total() - len(came)
        outcome.repeated += repeated
        allowed = world.in_doubt if name == "desk" else 0
        world.hold(repeated <= allowed, f"{name} gets nothing twice: {repeated} of {allowed}")
        first = {alert: number for number, alert in reversed(list(enumerate(receiver.taken)))}
        stories: dict[str, list[int]] = defaultdict(list)
        for alert in due:
            if alert.id in first:
                stories[alert.story_id].append(first[alert.id])
        several = [order for order in stories.values() if len(order) > 1]
        outcome.stories_told_twice += len(several)
        world.hold(
            all(order == sorted(order) for order in several), f"{name} is told stories in order"
        )


@contextmanager
def behind_a_proxy(folder: Path, seed: int = 1) -> Iterator[tuple[Brokers, Proxy]]:
    """A broker that its clients reach by a proxy only, but by a port of its own for the drill."""
    inside, outside = free_ports(2)
    settings = {
        "listeners": "PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{control},"
        f"INSIDE://127.0.0.1:{inside}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{outside},INSIDE://127.0.0.1:{inside}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,"
        "CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "INSIDE",
        "rasid.inside": str(inside),
    }
    with (
        Brokers(folder, settings=settings) as brokers,
        Proxy(brokers.nodes[0].port, seed, outside) as way,
    ):
        yield brokers, way


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="all that the log allows")
    parser.add_argument("--log", choices=("sqlite", "kafka"), default="sqlite")
    parser.add_argument("--span", type=float, default=60.0, help="seconds each trouble lasts")
    wanted = parser.parse_args()
    there = {**ANY, **(SQLITE if wanted.log == "sqlite" else {**KAFKA, **THREE})}
    if unknown := set(wanted.names) - there.keys():
        parser.error(f"on {wanted.log} there is no {', '.join(sorted(unknown))}")
    kept = True
    for name in wanted.names or there:
        with tempfile.TemporaryDirectory(prefix="rasid-drill-") as folder, ExitStack() as stack:
            home = Path(folder)
            brokers, way = None, None
            if wanted.log == "kafka":
                if name in THREE:
                    brokers = stack.enter_context(Brokers(home / "kafka", count=3))
                else:
                    brokers, way = stack.enter_context(behind_a_proxy(home / "kafka"))
            found = drill(wanted.log, home, [name], span_s=wanted.span, brokers=brokers, way=way)
        print(f"{name}: {'kept' if found.kept else 'BROKEN'} {found}", flush=True)
        kept = kept and found.kept
    print("every promise was kept" if kept else "A PROMISE WAS BROKEN")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
