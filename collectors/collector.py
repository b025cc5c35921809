"""The collect stage: feeds and pages in, Articles out.

One thread runs it: an event loop for the network, beside the ledger's thread for the log.
The loop acquires the stage's seat, builds a `Work` on the configuration of the moment, and
builds another when the configuration changes or the seat was lost and won back. Sites and
their paces outlive both.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog
from prometheus_client import CollectorRegistry

from collectors.catalogue import Source
from collectors.fetch import Clock, Fetcher, user_agent
from collectors.guard import AddressGuard
from collectors.ledger import Ledger
from collectors.metrics import CollectMetrics
from collectors.options import CollectOptions
from collectors.pool import Pool
from collectors.visits import Visits
from collectors.work import Work
from streams.errors import LogUnavailable, OwnershipLost
from streams.log import Stage
from streams.metrics import StageMetrics

__all__ = ["CollectOptions", "Collector"]

log = structlog.get_logger(__name__)

_RESOLVER_THREADS = 16  # name servers that do not answer must not hold up the others
_LONGEST_BACKOFF_S = 5.0


class Collector:
    """Made by the composition root; `run` once, in a thread of its own."""

    def __init__(
        self,
        stage: Stage,
        sources: Sequence[Source],
        options: CollectOptions,
        *,
        clock: Clock,
        registry: CollectorRegistry,
        metrics: StageMetrics | None = None,
        make_pool: Callable[[int], Pool] = Pool,
    ) -> None:
        self._stage = stage
        self._config = (tuple(sources), options)
        self._clock = clock
        self._metrics = CollectMetrics(registry, metrics)
        self._make_pool = make_pool
        self._reloaded = threading.Event()
        self._working = False
        self._ledger: Ledger | None = None

    @property
    def ready(self) -> bool:
        """Whether the seat is held and the log takes what is written."""
        return self._working and self._ledger is not None and self._ledger.available

    def reload(self, sources: Sequence[Source], options: CollectOptions) -> None:
        """Take another configuration up, from any thread. Feeds that are gone are no longer
        polled, their state is kept; requests under way end first."""
        self._config = (tuple(sources), options)
        self._reloaded.set()

    def run(self, stop: threading.Event) -> None:
        """Collect until `stop` is set, then end within some seconds.

        Raises NewerSchema, LogCorrupt, and whatever nobody foresaw."""
        _, options = self._config
        ledger = self._ledger = Ledger(self._stage, gather_s=options.gather_s)
        loop = asyncio.new_event_loop()
        resolvers = ThreadPoolExecutor(_RESOLVER_THREADS, thread_name_prefix="collect-dns")
        loop.set_default_executor(resolvers)
        try:
            loop.run_until_complete(self._main(ledger, stop))
        finally:
            self._working = False
            ledger.close()
            loop.run_until_complete(loop.shutdown_asyncgens())
            resolvers.shutdown(wait=False, cancel_futures=True)
            loop.close()

    async def _main(self, ledger: Ledger, stop: threading.Event) -> None:
        visits: Visits | None = None
        is_ours = False
        while not stop.is_set():
            if not is_ours and not await self._acquire(ledger, stop):
                return
            is_ours = True
            self._reloaded.clear()
            sources, options = self._config
            fetcher = Fetcher(
                guard=AddressGuard(options.allow_networks, options.doors),
                user_agent=user_agent(options.contact),
                clock=self._clock,
                connections=options.polls_at_once + options.pages_at_once,
            )
            pool = self._make_pool(options.processes)
            try:
                async with fetcher:
                    pace = {"delay_s": options.site_delay_s, "timeout_s": options.request_timeout_s}
                    if visits is None:
                        visits = Visits(fetcher, **pace)
                    else:
                        visits.use(fetcher, **pace)
                    work = Work(
                        sources, options, ledger=ledger, visits=visits, pool=pool,
                        clock=self._clock, metrics=self._metrics,
                    )  # fmt: skip
                    await work.load()
                    self._working = True
                    await work.run(lambda: stop.is_set() or self._reloaded.is_set())
            except OwnershipLost as error:
                log.warning("seat_lost", stage=self._stage.name, error=str(error))
                is_ours = self._working = False
            except LogUnavailable:  # while loading; `_acquire` knows how to wait
                is_ours = self._working = False
            finally:
                pool.close()

    async def _acquire(self, ledger: Ledger, stop: threading.Event) -> bool:
        """Wait for the seat, and for the log. False when told to stop meanwhile."""
        backoff_s = 0.1
        is_told = False
        while not stop.is_set():
            self._metrics.beat()
            try:
                if await ledger.acquire(1.0):
                    return True
                backoff_s = 0.1
            except LogUnavailable as error:
                if not is_told:
                    log.warning("log_unavailable", reason=error.reason, error=str(error))
                    is_told = True
                await asyncio.to_thread(stop.wait, backoff_s)
                backoff_s = min(backoff_s * 2, _LONGEST_BACKOFF_S)
        return False
