"""The daemon: builds every object once, runs each stage in a thread, stops them in order.

    collect ─▶ process ─▶ alert        one thread a stage, each with its own seat at the log
       └──────────┴─────────┴─▶ metrics endpoint, housekeeping

The only place where rooms meet. A stage that meets a newer schema or a damaged log stops
and the process is not ready, the others go on; when none is left, or a stage fails in a way
nobody foresaw, the process ends with exit code 1, for its supervisor to start it afresh.
"""

import gc
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

import structlog

from alerts.receivers import Receiver
from alerts.silences import SilenceReader
from alerts.stage import AlertStage
from collectors.catalogue import Source
from collectors.collector import CollectOptions, Collector
from collectors.proxy import environment_proxies
from processors.flagger import load_flagger, rules_digest
from processors.processor import Processor
from rasid import __version__
from rasid.atom import atom
from rasid.canary import RULES as CANARY_RULES
from rasid.canary import Canary, CanaryMetrics
from rasid.config import Config, serve_address
from rasid.configfile import load
from rasid.exposition import Exposition
from rasid.logs import redaction
from rasid.metrics import DaemonMetrics, LogFile, make_registry
from rasid.options import (
    collect_options,
    configured_log,
    gate,
    log_url,
    max_ages,
    operators,
    receivers,
    route,
    sources,
)
from rasid.serve import Endpoint, bind
from rasid.signals import Bell, HeldSignals
from rasid.storybook import stories
from rasid.supervisor import Supervisor
from streams import records
from streams.carriers import log_file
from streams.errors import LogError, LogUnavailable, OwnershipLost, RasidError
from streams.log import Log, Transaction
from streams.metrics import LogMetrics, StageMetrics
from streams.notices import notice

log = structlog.get_logger(__name__)

STAGES = ("collect", "process", "alert")
_STOP_S = {
    "collect": 20.0,
    "process": 10.0,
    "alert": 20.0,
}  # each longer than the stage's own bound
_LAG_S = 10.0
_CHECKUP_S = 2.0  # after the start: the first polls come first
_CHECKUPS = {"collect": ("feeds", "network", "clock"), "process": (), "alert": ("receivers",)}
_EXPIRE_S = 3600.0


class StageThread(Protocol):
    """What app needs of a stage."""

    @property
    def ready(self) -> bool: ...
    def run(self, stop: threading.Event) -> None: ...


def now() -> datetime:
    return datetime.now(UTC)


class App:
    """Built, run once, done. `config_path` is read again at a reload."""

    def __init__(
        self,
        config: Config,
        *,
        config_path: Path | None = None,
        stages: Sequence[str] = STAGES,
        clock: Callable[[], datetime] = now,
    ) -> None:
        """Raises ConfigError (port taken, a proxy that is none), LogError (log unusable)."""
        self._config = config
        self._config_path = config_path
        self._clock = clock
        redaction.know(config.secrets())
        environment_proxies()  # one that is none is told now
        self.registry = make_registry()
        self.registry.register(LogFile(log_file(log_url(config))))
        exposition = Exposition(self.registry)
        self._endpoint = None
        if config.serve != "none":
            self._endpoint = Endpoint(
                bind(*serve_address(config.serve)), exposition, self.unready, self._atom
            )
        self._log: Log = configured_log(config, clock, LogMetrics(self.registry))
        canary_metrics = CanaryMetrics(self.registry)
        self._canary: Canary | None = None
        if config.canary and self._endpoint:
            self._canary = Canary(
                self._endpoint.address,
                config.canary.every,
                clock=clock,
                metrics=canary_metrics,
                tell=self._tell_operators,
            )
            self._endpoint.add(self._canary.routes())
        metrics = self._stage_metrics = StageMetrics(self.registry)
        self._collector: Collector | None = None
        self._processor: Processor | None = None
        self._alerts: AlertStage | None = None
        if "collect" in stages:
            self._collector = Collector(
                self._log.stage("collect"),
                self._sources(config),
                self._collect_options(config),
                clock=clock,
                registry=self.registry,
                metrics=metrics,
            )
        if "process" in stages:
            self._processor = Processor(
                self._log.stage("process", reads=(records.ARTICLES, records.BACKFILL)),
                partial(load_flagger, self._rules(config)),
                clock=clock,
                registry=self.registry,
                metrics=metrics,
            )
        if "alert" in stages:
            self._alerts = AlertStage(
                self._log.stage("alert", reads=(records.ALERTS, records.FLAGS)),
                self._receivers(config),
                route(config),
                max_age_s=config.alerts.max_age,
                gate=gate(config),
                operators=operators(config),
                silences=SilenceReader(self._log),
                clock=clock,
                registry=self.registry,
                metrics=metrics,
            )
        self._metrics = DaemonMetrics(
            self.registry,
            {name: partial(_ready, stage) for name, stage in self._stages().items()},
        )
        self._supervisor = Supervisor()
        self._failures: dict[str, str] = {}
        self._crashed = False
        self._stops = {name: threading.Event() for name in self._stages()}
        self._bell = Bell()
        self._reload = False
        self._stopping = False

    def _stages(self) -> dict[str, StageThread]:
        pairs: dict[str, StageThread | None] = {
            "collect": self._collector,
            "process": self._processor,
            "alert": self._alerts,
        }
        return {name: stage for name, stage in pairs.items() if stage is not None}

    def _sources(self, config: Config) -> list[Source]:
        return sources(config) + ([self._canary.source] if self._canary else [])

    def _collect_options(self, config: Config) -> CollectOptions:
        doors = ((self._canary.host.strip("[]"), self._canary.port),) if self._canary else ()
        return replace(collect_options(config), doors=doors)

    def _rules(self, config: Config) -> list[Path]:
        return [*config.rules, *([CANARY_RULES] if self._canary else [])]

    def _receivers(self, config: Config) -> list[Receiver]:
        return receivers(config) + ([self._canary.receiver] if self._canary else [])

    @property
    def address(self) -> str | None:
        """Where the endpoint answers."""
        return self._endpoint.address if self._endpoint else None

    def _atom(self) -> bytes:
        return atom(stories(self._log), self._clock())

    def unready(self) -> Mapping[str, str]:
        """What cannot work now, and why."""
        waiting = {
            name: "waits for the log, or for its turn"
            for name, stage in self._stages().items()
            if not stage.ready
        }
        return {**waiting, **self._failures}

    def run(self, held: HeldSignals | None = None) -> int:
        """Work until a signal, which `held` may have met already; the exit code. Call from the
        main thread. Raises RuleError, IdentityTaken, and LogCorrupt: the log is none, or
        damaged."""
        self._log.claim()
        with suppress(LogUnavailable):  # not made yet, or away for a while: the stages wait
            self._log.topics()
        self._bell.listen()
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGHUP, self._on_hangup)
        if held:
            held.release()
        if self._endpoint:
            self._endpoint.start()
        threads = {
            name: threading.Thread(
                target=self._run_stage, args=(name, stage), name=name, daemon=True
            )
            for name, stage in self._stages().items()
        }
        self._start(threads)
        log.info(
            "started", version=__version__, stages=list(threads), log=log_url(self._config),
            serve=self.address, pid=os.getpid(),
        )  # fmt: skip
        housekeeper = threading.Thread(target=self._housekeep, name="housekeeping", daemon=True)
        housekeeper.start()
        threading.Thread(target=self._check_up, name="checkup", daemon=True).start()
        watched = threading.Event()
        watchdog = threading.Thread(
            target=self._supervisor.watch,
            args=(self._stage_metrics.beats, watched),
            name="watchdog",
            daemon=True,
        )
        watchdog.start()
        self._supervisor.tell("READY=1", f"STATUS=at work: {', '.join(threads)}")
        while not self._stopping:
            self._bell.wait()
            if self._reload and not self._stopping:
                self._reload = False
                self._supervisor.reloading()
                self._metrics.reloaded(done=self._load_again())
                self._supervisor.tell("READY=1")
        self._supervisor.tell("STOPPING=1")
        watched.set()  # from here on TimeoutStopSec counts
        return self._shut_down(threads, housekeeper)

    def _start(self, threads: Mapping[str, threading.Thread]) -> None:
        """Collecting first: the rules take a second to load, and the first feeds can be asked
        meanwhile. A mistake in them ends the start all the same."""
        for name, thread in threads.items():
            if name == "process" and self._processor:
                try:
                    self._processor.load()
                    _set_aside(replacing=False)
                except BaseException:
                    self._shut_down({n: t for n, t in threads.items() if t.is_alive()}, None)
                    raise
            thread.start()

    def stop(self) -> None:
        """End `run`, from any thread."""
        self._stopping = True
        self._bell.ring()

    def _on_signal(self, number: int, frame: object) -> None:
        if self._stopping:
            os._exit(130)  # asked twice: at once, the log keeps what is not done
        self.stop()

    def _on_hangup(self, number: int, frame: object) -> None:
        self._reload = True
        self._bell.ring()

    def _run_stage(self, name: str, stage: StageThread) -> None:
        try:
            stage.run(self._stops[name])
        except RasidError as error:
            self._failures[name] = str(error)
            log.error("stage_stopped", stage=name, reason=error.reason, error=str(error))
            self._stage_metrics.ended(name)  # a restart would meet the same
            if self._failures.keys() == self._stops.keys():
                self._crashed = True  # nothing is left that could work
                self.stop()
        except Exception:
            self._failures[name] = "failed"
            self._crashed = True
            log.exception("stage_crashed", stage=name)
            self.stop()

    def _check_up(self) -> None:
        """Tell once what `rasid doctor` would find wrong with this machine."""
        if self._stops[next(iter(self._stops))].wait(_CHECKUP_S):
            return
        from rasid.doctor import CHECKS, Patient, examine  # stands on this module

        names = ("permissions", "disk", *(n for stage in self._stops for n in _CHECKUPS[stage]))
        patient = Patient(self._config, self._clock, self._config_path)
        try:
            for found in examine(patient, {name: CHECKS[name] for name in names}):
                if found.status != "ok":
                    tell = log.warning if found.status == "warning" else log.error
                    tell("checkup", check=found.check, found=found.said, do=found.todo)
        except Exception:
            log.exception("checkup_failed")

    def _housekeep(self) -> None:
        """Tell the lag every few seconds; let old records go every hour."""
        stopped = self._stops[next(iter(self._stops))]
        rounds = 0
        while not stopped.wait(_LAG_S):
            rounds += 1
            if not any(stage.ready for stage in self._stages().values()):
                continue  # the stages tell why they cannot work
            try:
                if self._canary and self._alerts and self._alerts.ready:
                    self._canary.watch()
                self._stage_metrics.set_lag(self._log.lag())
                if rounds * _LAG_S >= _EXPIRE_S:
                    rounds = 0
                    gone = self._log.expire(max_ages(self._config), self._clock())
                    log.info("expired", records=gone)
            except LogError as error:
                log.warning("housekeeping_failed", error=str(error))
            except Exception:  # a defect; the next round may do better, and the stages go on
                log.exception("housekeeping_failed")

    def _tell_operators(self, text: str, since: datetime, over: bool) -> bool:
        """Have a notice sent, through the log as any other; whether it is there."""
        stage = self._log.stage("canary")
        try:
            if not stage.acquire(1.0):
                return False
            tx = Transaction()
            notice(tx, "canary/road", text, since=since, over=over)
            stage.commit(tx)
        except (LogUnavailable, OwnershipLost):
            return False
        finally:
            stage.close()
        return True

    def _load_again(self) -> bool:
        """Build all that a reload needs, then change over. Whatever goes wrong in building
        refuses the reload, and False says so: a mistake in a file must not end a daemon at
        work."""
        try:
            config = load(self._config_path)
            redaction.know(config.secrets())
            polled, options = self._sources(config), self._collect_options(config)
            named, routed = self._receivers(config), route(config)
            flagger = None
            rules = self._rules(config)
            if self._processor and rules_digest(rules) != self._processor.rules:
                flagger = load_flagger(rules)
            if self._alerts:  # last: it may still refuse, and then has changed nothing
                self._alerts.reload(
                    named, routed, config.alerts.max_age, gate(config), operators(config)
                )
        except RasidError as error:
            log.error("reload_refused", error=str(error), kept="the running configuration")
            return False
        except Exception as error:
            log.exception(
                "reload_refused", error=type(error).__name__, kept="the running configuration"
            )
            return False
        fixed = [
            key
            for key in ("log", "serve", "canary")
            if getattr(config, key) != getattr(self._config, key)
        ]
        if fixed:
            log.warning("restart_needed", keys=fixed, why="taken up at a start only")
        self._config = config
        if self._collector:
            self._collector.reload(polled, options)
        if self._processor and flagger:
            self._processor.reload(flagger)
            _set_aside(replacing=True)
        log.info("reloaded", sources=len(polled), rules="new" if flagger else "as before")
        return True

    def _shut_down(
        self, threads: Mapping[str, threading.Thread], housekeeper: threading.Thread | None
    ) -> int:
        """Inputs first, so that what is in hand flows out; then the endpoint, then the log."""
        clean = True
        for name, thread in threads.items():
            self._stops[name].set()
            thread.join(_STOP_S[name])
            if thread.is_alive():
                clean = False
                log.error("stop_timed_out", stage=name, seconds=_STOP_S[name])
            else:
                log.info("stopped", stage=name)
        if housekeeper:
            housekeeper.join(5.0)
        if self._endpoint and not self._endpoint.close(5.0):
            clean = False
            log.error("stop_timed_out", stage="serve", seconds=5.0)
        if clean:
            self._log.close()
        log.info("ended", clean=clean)
        return 1 if self._crashed or not clean else 0


def _ready(stage: StageThread) -> bool:
    return stage.ready


def _set_aside(*, replacing: bool) -> None:
    """Take what has just been built out of the garbage collector's sight: the rules are half a
    million objects, and each full look over them stops every thread for a third of a second.
    One look is needed where they replace others, which are to go."""
    if replacing:
        gc.unfreeze()
        gc.collect()
    gc.freeze()
