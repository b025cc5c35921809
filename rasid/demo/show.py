"""Running the demo: start newsrooms, mail server and Slack stand-in, run the real daemon on
them as a process of its own, watch its log until all is done, and tell what happened.
"""

import asyncio
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from rasid.app import now
from rasid.demo.broker import Brokers
from rasid.demo.newsrooms import Newsroom, load_newsrooms, site
from rasid.demo.sinks import mail_server, slack
from rasid.demo.table import outcomes, print_outcomes
from rasid.demo.watch import Watched, watch
from streams.carriers import open_log
from streams.errors import ConfigError, LogError

_MARK = ".rasid-demo"  # a folder that holds it may be emptied by the next run
_DEADLINE_S = 90.0  # five times what it takes: on a busy machine it ends late, not wrongly


@dataclass(frozen=True, slots=True)
class Place:
    """Where the demo's parts are."""

    folder: Path
    rooms: list[Newsroom]
    ports: dict[str, int]  # newsroom id → port
    slack_port: int
    mail_port: int
    serve_port: int
    log: str

    @property
    def config(self) -> Path:
        return self.folder / "rasid.yaml"


def run(folder: Path, *, keep: bool, kafka: bool) -> int:
    """The whole demo; the exit code."""
    console = Console(soft_wrap=True, highlight=False)
    folder = _prepare(folder.absolute())
    with ExitStack() as stack:
        url = f"sqlite://{folder}/rasid.db"
        if kafka:
            console.print("Starting a Kafka broker …")
            url = stack.enter_context(Brokers(folder / "kafka")).url
        place = stack.enter_context(_world(folder, url))
        place.config.write_text(_configuration(place), encoding="utf-8")
        console.print(
            f"[bold]Rasid demo[/]: {len(place.rooms)} invented newsrooms on loopback, "
            "the real daemon, no network.\n"
        )
        daemon = stack.enter_context(_daemon(place, console))
        done = _watch(place, daemon, console)
        if keep and daemon.poll() is None:
            _print_addresses(place, console)
            try:
                daemon.wait()
            except KeyboardInterrupt:
                console.print("\nStopping …")
        code = _stop(daemon)
        with closing(open_log(url, clock=now)) as log:
            print_outcomes(console, outcomes(log, place.rooms, place.ports))
        _print_files(place, console)
    if not done or code:
        console.print(
            f"[red]The demo did not finish[/] (daemon's exit code {code}); "
            f"see {folder / 'daemon.log'}"
        )
        return 1
    return 0


def _prepare(folder: Path) -> Path:
    """An empty folder; ConfigError when it cannot be had."""
    try:
        if folder.exists():
            if not (folder / _MARK).exists() and any(folder.iterdir()):
                raise ConfigError(f"{folder} is not empty and no demo's: choose another with --dir")
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        (folder / _MARK).touch()
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigError(
            f"{folder} cannot be used: {why}; choose another folder with --dir"
        ) from error
    return folder


@contextmanager
def _world(folder: Path, log: str) -> Iterator[Place]:
    """Newsrooms, Slack's stand-in and the mail server, served until the block ends."""
    rooms = load_newsrooms(now())
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="newsrooms", daemon=True)
    thread.start()

    async def serve(app: web.Application) -> tuple[web.AppRunner, int]:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        tcp = web.TCPSite(runner, "127.0.0.1", 0)
        await tcp.start()
        return runner, runner.addresses[0][1]

    served = [
        asyncio.run_coroutine_threadsafe(serve(app), loop).result(5)
        for app in [slack(folder / "slack"), *(site(room) for room in rooms)]
    ]
    mail = mail_server(folder / "mail")
    try:
        (_, slack_port), *sites = served
        yield Place(
            folder=folder,
            rooms=rooms,
            ports={room.id: port for room, (_, port) in zip(rooms, sites, strict=True)},
            slack_port=slack_port,
            mail_port=mail.port,
            serve_port=_free_port(),
            log=log,
        )
    finally:
        mail.stop()
        for runner, _ in served:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _configuration(place: Place) -> str:
    sources = "".join(
        f"  - id: {room.id}\n    name: {room.name}\n    name_latin: {room.name_latin}\n"
        f"    country: {room.country}\n"
        f"    feeds: [http://127.0.0.1:{place.ports[room.id]}/feed.xml]\n"
        for room in place.rooms
    )
    return f"""\
# Written by `rasid demo`.
log: {place.log}
collect:
  contact: demo@example.org
  site_delay: 0s
  allow_networks: [127.0.0.0/8]
catalogue: none
sources:
{sources}receivers:
  - name: here
    terminal: {{}}
  - name: desk
    slack: {{webhook_url: "http://127.0.0.1:{place.slack_port}/services/desk"}}
  - name: editors
    email:
      from: rasid@example.org
      to: [editors@example.org]
      smtp: smtp://127.0.0.1:{place.mail_port}
      tls: none
route:
  receiver: here
  routes:
    - receiver: here
      continue: true
    - receiver: desk
      continue: true
    - match: {{country: [LY, YE]}}
      receiver: editors
serve: 127.0.0.1:{place.serve_port}
"""


@contextmanager
def _daemon(place: Place, console: Console) -> Iterator[subprocess.Popen[str]]:
    """`rasid run` as a process; the alerts it prints come out on the console."""
    with (place.folder / "daemon.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "rasid", "run", "--config", str(place.config)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the demo, which then stops the daemon
        )

        def show() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                console.print(Text(line.rstrip("\n")))

        shower = threading.Thread(target=show, name="show", daemon=True)
        shower.start()
        try:
            yield process
        finally:
            _stop(process)
            shower.join(5)


def _stop(process: subprocess.Popen[str]) -> int:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def _watch(place: Place, daemon: subprocess.Popen[str], console: Console) -> bool:
    """Show progress until nothing is left to do; False when time or the daemon ran out."""
    end = time.monotonic() + _DEADLINE_S
    columns = (TextColumn("{task.description}"), BarColumn(24), TextColumn("{task.fields[of]}"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        bars = {name: progress.add_task(name, total=None, of="") for name in Watched.STEPS}
        while time.monotonic() < end and daemon.poll() is None:
            try:
                seen = watch(place.log, feeds=len(place.rooms))
            except LogError:
                time.sleep(0.1)  # not written yet
                continue
            for name, (count, total) in seen.steps().items():
                progress.update(
                    bars[name], completed=count, total=total or 1, of=f"{count}/{total}"
                )
            if seen.finished:
                return True
            time.sleep(0.2)
    return False


def _print_addresses(place: Place, console: Console) -> None:
    console.print("\n[bold]Left running; Ctrl-C ends it.[/]")
    for room in place.rooms:
        console.print(f"  {room.name}: http://127.0.0.1:{place.ports[room.id]}/feed.xml")
    for path in ("metrics", "healthz", "readyz"):
        console.print(f"  http://127.0.0.1:{place.serve_port}/{path}")
    console.print(f"  rasid log topics --config {place.config}")


def _print_files(place: Place, console: Console) -> None:
    mails = len(list((place.folder / "mail").glob("*.eml")))
    payloads = len(list((place.folder / "slack").glob("*.json")))
    console.print(f"\nMail, {mails} (.eml, and .html to open): {place.folder / 'mail'}")
    console.print(f"Slack payloads, {payloads}: {place.folder / 'slack'}")
    console.print(f"The log: rasid log topics --config {place.config}")
