"""What collecting can be told."""

from dataclasses import dataclass

from collectors.guard import Door, IPNetwork


@dataclass(frozen=True)
class CollectOptions:
    contact: str = ""  # in the User-Agent: whom to write to
    site_delay_s: float = 5.0  # between two requests to one site; robots.txt can ask for more
    min_interval_s: float = 120.0  # a feed is polled at its own rhythm between these
    max_interval_s: float = 3600.0
    allow_networks: tuple[IPNetwork, ...] = ()  # addresses inside that may be fetched
    doors: tuple[Door, ...] = ()  # single ports inside that may be fetched: Rasid's own
    processes: int = 2  # in the pool that parses

    request_timeout_s: float = 30.0  # an answer, redirects included
    parse_timeout_s: float = 15.0  # a feed in the pool
    extract_timeout_s: float = 20.0  # a page in the pool
    polls_at_once: int = 48
    pages_at_once: int = 32
    page_tries: int = 3  # of a page whose failure may pass, before the entry's own text is taken
    page_retry_s: float = 20.0  # until the second try; three times as long until each later one
    gather_s: float = 0.02  # outcomes of so long are committed together
    spread_s: float = 0.02  # between two first polls after a start, so that they are no burst
    health_s: float = 30.0  # between two looks at the feeds' health
    stop_s: float = 3.0  # requests under way may take so long to end
