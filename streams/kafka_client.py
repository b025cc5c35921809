"""How Rasid speaks to a cluster: kafka-python's clients, set up alike, and its errors in the
log's words.
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka import errors as kafka_errors
from kafka.cluster import ClusterMetadata

from streams.errors import LogUnavailable, OwnershipLost
from streams.kafka_division import TogetherAssignor
from streams.kafka_options import KafkaOptions, Security

T = TypeVar("T")

RECORD_BYTES: Final = 1_000_000  # of one record, key and headers with it; the broker's own limit
# is 1,048,588 bytes a batch unless configured
BOOTSTRAP_S: Final = 5.0  # until the first broker must have answered
REQUEST_S: Final = 10.0
KNOCK_S: Final = 2.0
# After so long a broker ends what a dead instance left open, which nobody can read past. Brokers
# look every 10 s (`transaction.abort.timed.out.transaction.cleanup.interval.ms`). A transaction
# of ours takes milliseconds.
TRANSACTION_S: Final = 10.0
BACKOFF_MS: Final = 5  # of the producer: without it every second transaction waits 100 ms
RECONNECT_MAX_MS: Final = 1000  # a broker that comes back is found within a second
LEADERS_MS: Final = 20  # between two looks for who leads a partition
# The library gives its look-ups 100 ms and takes no setting for it; a reader that turns to
# another topic, and a stage that starts, would wait that long each time.
ClusterMetadata.DEFAULT_CONFIG["retry_backoff_ms"] = LEADERS_MS


def consumer(options: KafkaOptions, *, wait_ms: int = 250, **settings: Any) -> KafkaConsumer:
    """Reads only what is committed; commits nothing by itself. `wait_ms` is how long a broker
    may keep a request that it has nothing for; until it answers, it is asked nothing else."""
    return _made(
        KafkaConsumer,
        **_common(options),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        allow_auto_create_topics=False,
        fetch_max_wait_ms=wait_ms,
        retry_backoff_ms=LEADERS_MS,
        **settings,
    )


def member(options: KafkaOptions, group: str) -> KafkaConsumer:
    """A consumer that is a static member of `group`: after a restart it is the same one."""
    return consumer(
        options,
        group_id=group,
        group_instance_id=options.instance,
        session_timeout_ms=int(options.session_s * 1000),
        heartbeat_interval_ms=int(options.session_s * 1000 / 5),
        max_poll_interval_ms=600_000,
        partition_assignment_strategy=(TogetherAssignor,),
    )


def producer(options: KafkaOptions, transactional_id: str) -> KafkaProducer:
    return _made(
        KafkaProducer,
        **_common(options),
        transactional_id=transactional_id,
        transaction_timeout_ms=int(TRANSACTION_S * 1000),
        max_block_ms=int(REQUEST_S * 1000),
        delivery_timeout_ms=int(REQUEST_S * 2000),
        compression_type="zstd",
        batch_size=256 * 1024,
        max_request_size=1024 * 1024,
        retry_backoff_ms=BACKOFF_MS,
        allow_auto_create_topics=False,
    )


def admin(options: KafkaOptions) -> KafkaAdminClient:
    return _made(KafkaAdminClient, **_common(options), retry_backoff_ms=BACKOFF_MS)


def _made(kind: type[T], **settings: Any) -> T:
    """A client. Where no broker answers, its constructor raises after it has started a thread
    for its connections, and nobody else could end that: a wait for a broker of a day would leave
    thousands."""
    client = kind.__new__(kind)
    try:
        client.__init__(**settings)  # type: ignore[misc]
    except BaseException:
        inner = getattr(client, "_client", None)
        if inner is not None:
            with suppress(kafka_errors.KafkaError, OSError):
                inner.close()
        raise
    return client


def _common(options: KafkaOptions) -> dict[str, Any]:
    return {
        "bootstrap_servers": list(options.brokers),
        "client_id": f"rasid-{options.instance}",
        "bootstrap_timeout_ms": int(BOOTSTRAP_S * 1000),
        "request_timeout_ms": int(REQUEST_S * 1000),
        "reconnect_backoff_max_ms": RECONNECT_MAX_MS,
        **_security(options.security),
    }


def _security(security: Security) -> dict[str, Any]:
    protocol = ("SASL_" if security.mechanism else "") + ("SSL" if security.tls else "PLAINTEXT")
    found: dict[str, Any] = {"security_protocol": protocol}
    if security.tls:
        found["ssl_context"] = _context(security)
    if security.mechanism:
        found.update(
            sasl_mechanism=security.mechanism,
            sasl_plain_username=security.user,
            sasl_plain_password=security.password,
        )
    return found


def _context(security: Security) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(security.ca) if security.ca else None)
        if security.certificate:
            context.load_cert_chain(security.certificate, security.key)
    except OSError as error:
        raise LogUnavailable(
            f"kafka: a certificate cannot be read ({error}); correct `kafka.tls`",
            reason="denied",
        ) from error
    return context


_FENCED: Final = (
    kafka_errors.CommitFailedError,
    kafka_errors.IllegalGenerationError,
    kafka_errors.UnknownMemberIdError,
    kafka_errors.ProducerFencedError,
    kafka_errors.InvalidProducerEpochError,
    kafka_errors.InvalidTxnStateError,
    kafka_errors.InvalidProducerIdMappingError,
)
_DENIED: Final = (
    kafka_errors.AuthorizationError,
    kafka_errors.SaslAuthenticationFailedError,
    kafka_errors.UnsupportedSaslMechanismError,
    ssl.SSLError,
)


def _refusal(options: KafkaOptions) -> str | None:
    """Why no broker lets us in, found out by knocking: the client library says only that none
    did. None when none can be reached at all."""
    security = options.security
    if not (security.tls or security.mechanism):
        return None
    for broker in options.brokers:
        host, _, port = broker.rpartition(":")
        host = host.strip("[]")
        try:
            with socket.create_connection((host, int(port)), timeout=KNOCK_S) as plain:
                if security.tls:
                    _context(security).wrap_socket(plain, server_hostname=host).close()
        except ssl.SSLError as error:
            return f"its certificate is not trusted ({error}); look at `kafka.ca`"
        except OSError:
            continue
        if security.mechanism:
            return (
                f"{broker} takes connections, but not the login of {security.user!r} by"
                f" {security.mechanism}; look at `kafka.user` and `kafka.password`"
            )
    return None


@contextmanager
def translated(options: KafkaOptions) -> Iterator[None]:
    """Turn kafka-python's errors into the log's; what is no error of the cluster's passes."""
    try:
        yield
    except _FENCED as error:
        raise OwnershipLost(
            f"{options.shown}: another instance works this stage now ({error})"
        ) from error
    except _DENIED as error:
        raise LogUnavailable(
            f"{options.shown}: it does not let us in ({error}); look at `kafka:` in the"
            " configuration and at the cluster's ACLs",
            reason="denied",
        ) from error
    except kafka_errors.KafkaError as error:
        if "bootstrap" in str(error) and (refusal := _refusal(options)):
            raise LogUnavailable(f"{options.shown}: {refusal}", reason="denied") from error
        raise LogUnavailable(
            f"{options.shown}: no answer ({type(error).__name__}: {error}); is a broker up, and"
            " is `log:` right?",
            reason="away",
        ) from error
