"""The Kafka log against bare kafka-python: the same broker, batch size and transactions.

    uv run python benchmarks/kafka_log.py [--records 6000] [--rounds 9]

    consume   read 100 records, write 100 and the position, in one transaction, until the topic is
              drained; Rasid does it through its worker. Goal: at least 70 % of bare, by the median
              of rounds in which both take turns
    restore   a collector's table of 100,000 feed states, from taking the seat to having it.
              Goal: 10 s

Bare kafka-python is what one would write by hand for just this: read committed, a transactional
producer, zstd, the backoff of 5 ms without which every second transaction waits 100.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import structlog
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.structs import OffsetAndMetadata
from prometheus_client import CollectorRegistry

from rasid.demo.broker import Brokers
from streams.carriers import open_log
from streams.log import Log, Message, Transaction
from streams.metrics import StageMetrics
from streams.records import ARTICLES, FEEDS, FLAGS, FeedState, encode
from streams.worker import Worker

BATCH = 100
GOAL = 0.70
RESTORE_GOAL_S = 10.0
FEED_STATES = 100_000
ARTICLE = json.dumps(
    {"title": "هدنة " * 10, "text": "نص المقال " * 350}, ensure_ascii=False
).encode()
REPORT = ARTICLE[:1500]


def now() -> datetime:
    return datetime.now(UTC)


def bare(brokers: Brokers, number: int, records: int) -> float:
    """Records a second."""
    addresses = brokers.addresses.split(",")
    consumer = KafkaConsumer(
        bootstrap_servers=addresses,
        group_id=f"bare-{number}",
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=BATCH,
    )
    consumer.subscribe([f"bench.{ARTICLES}"])
    producer = KafkaProducer(
        bootstrap_servers=addresses,
        transactional_id=f"bare-{number}",
        compression_type="zstd",
        batch_size=256 * 1024,
        retry_backoff_ms=5,
    )
    producer.init_transactions()
    while not consumer.assignment():
        consumer.poll(100, max_records=1)
    consumer.seek_to_beginning()
    done = 0
    began = time.perf_counter()
    while done < records:
        found = consumer.poll(1000, max_records=BATCH)
        if not found:
            continue
        producer.begin_transaction()
        offsets = {}
        for partition, some in found.items():
            for record in some:
                producer.send("bare.reports", key=record.key, value=REPORT, partition=0)
                done += 1
            offsets[partition] = OffsetAndMetadata(some[-1].offset + 1, "", -1)
        producer.send_offsets_to_transaction(offsets, consumer.group_metadata())
        producer.commit_transaction()
    seconds = time.perf_counter() - began
    consumer.close()
    producer.close()
    return done / seconds


def ours(url: str, number: int, records: int) -> float:
    """The same through the worker, as a stage that starts at the beginning."""
    with closing(open_log(url, clock=now, instance="bench")) as log:
        stage = log.stage(f"bench{number}", [ARTICLES])
        assert stage.acquire(30)

        def handle(message: Message, tx: Transaction) -> None:
            tx.append(FLAGS, message.key, REPORT)

        metrics = StageMetrics(CollectorRegistry())
        worker = Worker(stage, {ARTICLES: handle}, clock=now, metrics=metrics, batch=BATCH)
        done = 0
        began = time.perf_counter()
        while done < records:
            done += worker.step(1.0)
        return done / (time.perf_counter() - began)


def load(log: Log, records: int) -> None:
    stage = log.stage("collect")
    assert stage.acquire(30)
    for at in range(0, records, 500):
        tx = Transaction()
        for number in range(at, min(at + 500, records)):
            tx.append(ARTICLES, f"{number}", ARTICLE)
        stage.commit(tx)
    stage.close()


def restore(url: str) -> float:
    """Seconds from asking for the seat to having 100,000 feed states at hand."""
    with closing(open_log(url, clock=now, instance="bench")) as log:
        stage = log.stage("collect")
        assert stage.acquire(30)
        for at in range(0, FEED_STATES, 2000):
            tx = Transaction()
            for number in range(at, at + 2000):
                site = f"site-{number // 3}.example"
                feed = f"https://{site}/feed/{number}"
                state = FeedState(
                    source=f"source-{number // 3}", url=feed, site=site, etag=f'"{number:x}"',
                    body_hash=f"{number:032x}", interval_s=300.0, last_polled=now(),
                    last_success=now(), last_status="ok", gaps_s=(300.0, 610.0, 290.0, 1200.0),
                )  # fmt: skip
                due = now() + timedelta(seconds=number % 300)
                tx.put(FEEDS, f"{site}/{feed}", encode(state), due=due, partition_key=site)
            stage.commit(tx)
        stage.close()
        began = time.perf_counter()
        assert stage.acquire(60)
        seconds = time.perf_counter() - began
        assert sum(1 for _ in stage.scan(FEEDS)) == FEED_STATES
        return seconds


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=9)
    wanted = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory() as folder, Brokers(Path(folder)) as brokers:
        url = f"{brokers.url}/bench?partitions=1"
        with closing(open_log(url, clock=now, instance="bench")) as log:
            load(log, wanted.records)
        admin = KafkaAdminClient(bootstrap_servers=brokers.addresses.split(","))
        admin.create_topics({"bare.reports": {"num_partitions": 1}}, wait_for_metadata=True)
        admin.close()
        rounds = []
        for number in range(wanted.rounds):
            rounds.append(
                (bare(brokers, number, wanted.records), ours(url, number, wanted.records))
            )
            print("consume: bare {:,.0f}/s, worker {:,.0f}/s".format(*rounds[-1]), flush=True)
        ratio = statistics.median(own / other for other, own in rounds)
        print(f"consume: {ratio:.0%} of bare (median of {len(rounds)}); goal {GOAL:.0%}")
        seconds = restore(f"{brokers.url}/restore")
        print(
            f"restore: {FEED_STATES:,} feed states in {seconds:.1f} s; goal {RESTORE_GOAL_S:.0f} s"
        )
    return 0 if ratio >= GOAL and seconds <= RESTORE_GOAL_S else 1


if __name__ == "__main__":
    sys.exit(main())
