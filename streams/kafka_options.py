"""Where a cluster is and how it wants to be spoken to: the address, read and checked.

Pure, and free of the client library, which takes long to import.
"""

import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

from streams.errors import ConfigError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_BROKER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})")


@dataclass(frozen=True, slots=True)
class Security:
    """How brokers are to be trusted, and who asks. Without `ca` the system's own are used."""

    tls: bool = False
    ca: Path | None = None
    certificate: Path | None = None  # with `key`: a client certificate
    key: Path | None = None
    mechanism: str | None = None  # PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """`prefix` stands before every name, so that several Rasids can share a cluster.
    `partitions` is what lanes and site tables are created with; `replication` -1 leaves it
    to the broker."""

    brokers: tuple[str, ...]
    instance: str
    prefix: str = ""
    partitions: int = 12
    replication: int = -1
    session_s: float = 15.0
    security: Security = Security()

    @property
    def shown(self) -> str:
        return "kafka://" + ",".join(self.brokers)


def kafka_options(url: str, instance: str = "", security: Security | None = None) -> KafkaOptions:
    """`kafka://host:9092,host:9092/prefix?partitions=12&replication=3`; all but the brokers
    may be left out. Raises ConfigError."""
    rest, _, query = url.removeprefix("kafka://").partition("?")
    hosts, _, prefix = rest.partition("/")
    brokers = tuple(hosts.split(","))
    for broker in brokers:
        match = _BROKER.fullmatch(broker)
        if match is None or not 0 < int(match[2]) < 65536:
            raise ConfigError(
                f"log: {broker!r} in {url!r} is no broker; write host:port, several with commas,"
                " as in kafka://kafka-1:9092,kafka-2:9092"
            )
    if prefix and not _NAME.fullmatch(prefix):
        raise ConfigError(f"log: {prefix!r} in {url!r} cannot stand before names of topics")
    numbers = _numbers(url, query)
    name = instance or socket.gethostname()
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"instance: {name!r} can hold only letters, digits, dots, hyphens and underscores"
        )
    return KafkaOptions(
        brokers,
        name,
        prefix=f"{prefix}." if prefix else "",
        security=security or Security(),
        **numbers,
    )


def _numbers(url: str, query: str) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for key, values in parse_qs(query, keep_blank_values=True).items():
        if key not in ("partitions", "replication") or not values[-1].isdecimal():
            raise ConfigError(
                f"log: {key}={values[-1]} in {url!r} is not known; there are partitions=12 and"
                " replication=3"
            )
        numbers[key] = int(values[-1])
        if numbers[key] < 1:
            raise ConfigError(f"log: {key} in {url!r} must be 1 or more")
    return numbers
