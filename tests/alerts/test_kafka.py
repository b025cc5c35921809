"""The alert stage on Kafka: what it holds and what is silenced beside it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from alerts.receivers import Receiver, SlackOptions
from alerts.silences import SilenceReader, read_silences, write_silence
from streams.carriers import open_log
from streams.records import Silence
from tests.fakes.alerts_bench import Bench, make_flag, make_report, utc_now
from tests.fakes.slack_server import SlackServer


@pytest.fixture
def kafka_bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    broker = request.getfixturevalue("broker")
    bench = Bench(open_log(f"{broker.url}/alerts?partitions=1", clock=utc_now))
    yield bench
    bench.close()


def test_a_silence_and_a_thread_are_kept_on_kafka_too(
    kafka_bench: Bench, slack: SlackServer
) -> None:
    bench = kafka_bench
    silence = Silence(
        id="s1", author="samira", reason="صيانة", created=utc_now(),
        ends=utc_now() + timedelta(hours=1), match={"country": ("SY",)},
    )  # fmt: skip
    assert write_silence(bench.log, silence, timeout_s=30)
    assert read_silences(bench.log) == [silence]
    syria = make_flag(countries=("SY",), places=("حقل العمر",))
    bench.put(
        make_report("a1", seen=utc_now()),
        make_report("a2", seen=utc_now(), flags=(syria,)),
        make_report(
            "a3", seen=utc_now(), flags=(make_flag(development="halted", places=("حقل a1",)),)
        ),
    )
    receiver = Receiver("desk", SlackOptions(webhook_url=slack.webhook_url))
    bench.start(bench.stage([receiver], silences=SilenceReader(bench.log)))
    bench.until(lambda: len(bench.deliveries()) == 3, 60)
    bench.until_settled(3, 60)
    told = {d.alert.article_id: (d.status, d.alert.kind) for d in bench.deliveries()}
    assert told == {
        "a1": ("sent", "opened"), "a2": ("silenced", "opened"), "a3": ("sent", "changed"),
    }  # fmt: skip
    assert bench.alerts()[1].thread == bench.alerts()[0].id
