"""The doctor as a whole, and on rules, receivers, brokers and the daemon beside it."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
import trustme
from typer.testing import CliRunner

from collectors.catalogue import Feed, Source
from collectors.options import CollectOptions
from rasid.app import now
from rasid.cli import app
from rasid.config import Config
from rasid.configfile import load
from rasid.demo.broker import Brokers
from rasid.doctor import CHECKS, Finding, Patient, examine
from rasid.doctor.configuration import configuration
from rasid.doctor.finding import Check
from rasid.doctor.program import burden
from streams.carriers import open_log
from streams.errors import LogUnavailable
from streams.records import ARTICLES
from tests.fakes.patients import a_log, expired, feeds, found, one, patient
from tests.fakes.scripted_server import ScriptedServer
from tests.fakes.slack_server import CHANNEL, TOKEN, SlackServer
from tests.fakes.smtp_server import PASSWORD, USER, MailServer, authenticator
from tests.fakes.tls_server import TlsServer
from tests.fakes.webhook_server import SECRET, WebhookServer

pytestmark = pytest.mark.usefixtures("no_proxy")


def test_one_that_is_well_is_told_so(tmp_path: Path) -> None:
    a_log(tmp_path)
    with ScriptedServer() as site:
        ill = patient(tmp_path, feeds(site.base + "/feed"))
        results = found(ill, *CHECKS)
    expected = {*CHECKS} - {"permissions", "broker"}
    assert {f.check for f in results if f.status == "ok"} - {"permissions"} == expected
    assert [f for f in results if f.status == "wrong"] == []


def test_a_check_that_fails_or_hangs_hides_no_other(tmp_path: Path) -> None:
    release = threading.Event()

    def fails(_: Patient) -> Iterator[Finding]:
        raise ZeroDivisionError("oh")
        yield

    def hangs(_: Patient) -> Sequence[Finding]:
        release.wait(20)
        return []

    def refuses(_: Patient) -> Sequence[Finding]:
        raise LogUnavailable("no broker", reason="away")

    def is_well(_: Patient) -> Sequence[Finding]:
        return [Finding("d", "ok", "well")]

    checks: dict[str, Check] = {"a": fails, "b": hangs, "c": refuses, "d": is_well}
    results = {f.check: f for f in examine(patient(tmp_path), checks, limit_s=0.2)}
    release.set()
    assert results["a"].said == "the check itself failed: ZeroDivisionError: oh"
    assert results["b"].said == "no answer within 0.2 s"
    assert results["c"].said == "no broker"
    assert [f.status for f in results.values()] == ["wrong", "wrong", "wrong", "ok"]


def test_as_a_command_with_and_without_a_fault(tmp_path: Path) -> None:
    ill = patient(tmp_path)
    config = ["doctor", "--config", str(ill.path)]
    told = CliRunner().invoke(app, [*config, "--json"])
    assert told.exit_code == 0, told.output
    document = json.loads(told.stdout)
    assert document["ok"] is True
    assert {"check", "status", "said", "todo"} == set(document["findings"][0])

    (tmp_path / "rasid.db").write_text("no log" * 1000)
    told = CliRunner().invoke(app, config)
    assert told.exit_code == 1
    assert "✗ log:" in told.stdout
    assert "→ it was left alone. Give `log:` another path" in told.stdout
    assert told.stdout.endswith(" 1 wrong\n")


def test_a_wrong_key_keeps_the_others_from_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rasid.yaml"
    path.write_text(
        f"log: sqlite://{tmp_path}/rasid.db\n"
        "receivers: [{name: a, slack: {tokn: x}}]\nroute: {receiver: b}\n"
    )
    checked, findings = configuration(path)
    assert f"{path}:2: receivers[0].slack.tokn: unknown key" in findings[0].said
    assert {f.status for f in findings[:-1]} == {"wrong"}
    assert findings[-1].said == "not checked further: `receivers`, `route`"
    assert checked.log == f"sqlite://{tmp_path}/rasid.db"


def test_without_a_file_the_defaults_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    checked, (finding,) = configuration(None)
    assert (checked, finding.status) == (Config(), "ok")
    checked, findings = configuration(tmp_path / "gone.yaml")
    assert "gone.yaml: cannot be read: No such file" in findings[0].said
    assert checked == Config()


def test_what_is_too_much_to_poll() -> None:
    many = [Source(f"s{i}", "", feeds=(Feed(f"http://s{i}.example/f"),)) for i in range(10_000)]
    (finding,) = burden(many, CollectOptions())
    assert finding.said == (
        "10,000 feeds on 10,000 sites: up to 83 polls a second, and 200 s until each was asked once"
    )
    deep = Source("d", "", feeds=tuple(Feed(f"http://d.example/{i}") for i in range(1000)))
    (finding,) = burden([deep], CollectOptions())
    assert finding.said == (
        "d.example:80: 1,000 feeds at one request in 5 s take 1.4 h, longer than"
        " `collect.max_interval`: each will be late"
    )
    twice = [Source(name, "", feeds=(Feed("http://a.example/f"),)) for name in ("a", "b")]
    (finding,) = burden(twice, CollectOptions())
    assert finding.said == "1 feeds are named by several sources: http://a.example/f"


def test_rules_that_are_wrong(tmp_path: Path) -> None:
    (tmp_path / "rules" / "ar").mkdir(parents=True)
    (tmp_path / "rules" / "ar" / "mine.yaml").write_text("theme: [")
    finding = one(patient(tmp_path, f"rules: ['{tmp_path}/rules']\n"), "rules")
    assert finding.status == "wrong"
    assert f"{tmp_path}/rules/ar/mine.yaml:2:1: no valid YAML" in finding.said


def receivers_of(folder: Path, send_test: bool, *parts: str) -> dict[str, Finding]:
    rows = "".join(f"\n  - {{name: r{i}, {part}}}" for i, part in enumerate(parts))
    ill = patient(folder, f"receivers:{rows}\nroute: {{receiver: r0}}\n")
    ill = Patient(ill.config, now, ill.path, send_test)
    return {f.said.partition(": ")[0]: f for f in found(ill, "receivers")}


@pytest.mark.parametrize("send_test", [False, True], ids=["reach", "send"])
def test_receivers_that_are_well(send_test: bool, tmp_path: Path) -> None:
    with (
        SlackServer() as slack,
        WebhookServer() as hooks,
        MailServer(authenticator=authenticator, auth_require_tls=False) as mail,
    ):
        results = receivers_of(
            tmp_path,
            send_test,
            f"slack: {{webhook_url: '{slack.webhook_url}'}}",
            f"slack: {{token: {TOKEN}, channel: '{CHANNEL}', api_url: '{slack.api_url}'}}",
            f"webhook: {{url: '{hooks.url}', secret: '{SECRET}'}}",
            f"email: {{from: a@x.example, to: b@x.example, smtp: 'smtp://{USER}@127.0.0.1:"
            f"{mail.port}', password: '{PASSWORD}', tls: none}}",
            "push: {url: 'json://127.0.0.1:1/'}" if not send_test else "terminal: {}",
            "terminal: {}",
        )
        assert {f.status for f in results.values()} == {"ok"}, results
        sent = len(slack.messages), len(hooks.bodies), len(mail.mails)
    assert sent == ((1, 1, 1) if send_test else (0, 0, 0))
    if not send_test:
        assert results["r1 (slack)"].said == "r1 (slack): Slack knows the token, as rasid"
        assert results["r3 (email)"].said.endswith("without encryption, takes user and password")


def test_receivers_that_are_ill(tmp_path: Path, authority: trustme.CA) -> None:
    with (
        SlackServer() as slack,
        TlsServer(expired(authority)) as site,
        MailServer(authenticator=authenticator, auth_require_tls=False) as mail,
    ):
        results = receivers_of(
            tmp_path,
            False,
            "webhook: {url: 'http://127.0.0.1:1/'}",
            f"slack: {{token: xoxb-no, channel: '#c', api_url: '{slack.api_url}'}}",
            f"webhook: {{url: 'https://127.0.0.1:{site.port}/'}}",
            f"email: {{from: a@x.example, to: b@x.example, smtp: 'smtp://{USER}@127.0.0.1:"
            f"{mail.port}', password: 'wrong', tls: none}}",
            "push: {url: 'nosuch://service'}",
            "terminal: {}",
        )
    assert results.pop("r5 (terminal)").status == "ok"  # the others hide it not
    assert {f.status for f in results.values()} == {"wrong"}, results
    said = {name: f.said for name, f in results.items()}
    assert "Connection refused" in said["r0 (webhook)"]
    assert said["r1 (slack)"].endswith("invalid_auth: check the token")
    assert said["r2 (webhook)"].endswith("is not good: certificate has expired")
    assert "refused user and password" in said["r3 (email)"]
    assert "none that Apprise knows" in said["receiver r4"]


def test_the_daemon_beside_us(tmp_path: Path) -> None:
    path = tmp_path / "rasid.yaml"
    with ScriptedServer() as site:
        path.write_text(f"log: sqlite://{tmp_path}/rasid.db\nserve: 127.0.0.1:{site.port}\n")
        ill = Patient(load(path), now, path)
        other = one(ill, "daemon")
        site.answers["/readyz"] = (200, {}, b"ready\n")
        able = one(ill, "daemon")
        site.answers["/readyz"] = (503, {}, b"alert: waits for the log\n")
        unable = one(ill, "daemon")
    none = one(ill, "daemon")
    assert [f.status for f in (other, able, unable, none)] == ["wrong", "ok", "wrong", "ok"]
    assert other.said.startswith("another program answers")
    assert unable.said == "it runs and is not able: alert: waits for the log"


def test_a_broker_that_is_there_and_one_that_is_not(tmp_path: Path, broker: Brokers) -> None:
    def looked_at(address: str) -> Finding:
        config = Config(log=address, serve="none", catalogue=["none"])
        return found(Patient(config, now), "broker")[0]

    fresh = looked_at(f"{broker.url}/doctor")
    assert fresh.status == "ok"
    assert "`rasid run` makes" in fresh.todo
    with closing(open_log(f"{broker.url}/doctor", clock=now)) as log:
        stage = log.stage("process", reads=(ARTICLES,))
        assert stage.acquire(20.0)
        stage.close()
    whole = looked_at(f"{broker.url}/doctor")
    assert (whole.status, whole.said) == ("ok", "answers; all topics are there, 0 wait")
    other = looked_at(f"{broker.url}/doctor?partitions=3")
    assert "has 12 partitions, not 3" in other.said
    before = set(threading.enumerate())
    gone = looked_at("kafka://127.0.0.1:1")
    assert gone.status == "wrong"
    asking = {t.name for t in threading.enumerate() if t not in before}
    assert not asking  # for a broker that is not there
    assert gone.todo == "is a broker up, and is `log:` right?"
