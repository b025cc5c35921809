"""The doctor on patients that are really ill: a full disk, a clock a year off, an expired
certificate, no name server."""

import json
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web
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
from rasid.doctor.sites import judge_clock
from streams.carriers import open_log
from streams.errors import LogUnavailable
from streams.log import Transaction
from streams.records import ARTICLES, FLAGS
from streams.sqlite import SqliteLog
from tests.fakes.daemon import Daemon
from tests.fakes.proxy_server import ProxyServer
from tests.fakes.scripted_server import ScriptedServer
from tests.fakes.slack_server import CHANNEL, TOKEN, SlackServer
from tests.fakes.smtp_server import PASSWORD, USER, MailServer, authenticator
from tests.fakes.tls_server import TlsServer
from tests.fakes.webhook_server import SECRET, WebhookServer

ROOT = Path(__file__).parents[2]
FUTURE = datetime.now(UTC) + timedelta(days=365)


def patient(folder: Path, more: str = "", clock: Callable[[], datetime] = now) -> Patient:
    path = folder / "rasid.yaml"
    path.write_text(f"log: sqlite://{folder}/rasid.db\nserve: none\ncatalogue: none\n{more}")
    return Patient(load(path), clock, path)


def found(ill: Patient, *names: str) -> list[Finding]:
    return list(examine(ill, {name: CHECKS[name] for name in names}))


def one(ill: Patient, name: str) -> Finding:
    (finding,) = found(ill, name)
    return finding


def feeds(*addresses: str) -> str:
    rows = "".join(f"\n  - {{id: s{i}, feeds: ['{url}']}}" for i, url in enumerate(addresses))
    return f"collect: {{allow_networks: [127.0.0.0/8]}}\nsources:{rows}\n"


def a_log(folder: Path, *values: tuple[str, bytes]) -> Path:
    """A log with these records."""
    with closing(SqliteLog(folder / "rasid.db", clock=now)) as log:
        stage = log.stage("collect")
        assert stage.acquire(1.0)
        tx = Transaction()
        for topic, value in values:
            tx.append(topic, "k", value)
        stage.commit(tx)
        stage.close()
    return folder / "rasid.db"


# --- the whole ----------------------------------------------------------------------------------


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


# --- files --------------------------------------------------------------------------------------


def set_format(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE rasid_meta SET value = '2' WHERE key = 'format'")


def test_a_log_of_a_later_format(tmp_path: Path) -> None:
    path = a_log(tmp_path)
    set_format(path)
    finding = one(patient(tmp_path), "log")
    assert finding == Finding(
        "log", "wrong", f"{path}: a log of format 2, this Rasid knows up to 1",
        "it was left alone. Upgrade Rasid",
    )  # fmt: skip
    assert found(patient(tmp_path), "integrity") == []


def test_records_of_a_later_version_and_of_none(tmp_path: Path) -> None:
    a_log(tmp_path, (ARTICLES, b'{"v": 99}'), (FLAGS, b"torn"))
    first, second, last = found(patient(tmp_path), "log")
    assert (first.status, first.todo) == ("wrong", "upgrade Rasid")
    assert "rasid.articles: Article of schema 99, this Rasid reads up to 1" in first.said
    assert (second.status, last.status) == ("warning", "ok")
    assert "rasid.flags: its last record is no Report" in second.said


def test_a_damaged_log(tmp_path: Path) -> None:
    path = a_log(tmp_path, *((ARTICLES, os.urandom(3000)) for _ in range(50)))
    whole = one(patient(tmp_path), "integrity")
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"x" * 8192)
    damaged = one(patient(tmp_path), "integrity")
    assert (whole.status, damaged.status) == ("ok", "wrong")
    assert "damaged" in damaged.said


def test_a_log_that_another_program_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rasid.doctor.disk.BUSY_S", 0.05)
    path = a_log(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        finding = one(patient(tmp_path), "log")
    assert (finding.status, finding.todo) == ("warning", f"find it with `fuser {path}`")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    ill = patient(tmp_path, "")
    config = ill.config.model_copy(update={"log": f"sqlite://{tmp_path}/a/b/rasid.db"})
    finding = one(Patient(config, now), "disk")
    assert finding.said == f"{tmp_path}/a/b: no such folder"
    (tmp_path / "a").mkdir()
    assert one(Patient(config, now), "disk").status == "ok"  # the daemon makes the last


def _as_nobody(folder: str, answer: Any) -> None:
    if os.geteuid() == 0:
        os.setresuid(65534, 65534, 65534)
    answer.send(found(patient_of(folder), "disk", "permissions"))


def patient_of(folder: str) -> Patient:
    return Patient(load(Path(folder) / "rasid.yaml"), now, Path(folder) / "rasid.yaml")


def test_a_folder_that_only_others_may_write() -> None:
    with tempfile.TemporaryDirectory() as folder:
        secret = "receivers: [{name: a, slack: {webhook_url: 'https://h.example/T0/secret99'}}]\n"
        patient(Path(folder), secret)
        Path(folder, "rasid.yaml").chmod(0o644)
        Path(folder).chmod(0o555)
        context = multiprocessing.get_context("fork")  # nobody may not start a Python in /root
        ours, theirs = context.Pipe()
        child = context.Process(target=_as_nobody, args=(folder, theirs))
        child.start()
        assert ours.poll(20)
        disk, permissions = ours.recv()
        child.join(10)
        Path(folder).chmod(0o755)
    assert disk.status == "wrong"
    assert "may not write there" in disk.said
    assert disk.todo.endswith(f"chown rasid {folder}")
    assert permissions.said == f"{folder}/rasid.yaml holds a secret and everyone may read it"


def test_a_secret_from_the_environment_makes_no_secret_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", "https://h.example/T0/secret99")
    key = tmp_path / "key"
    key.write_text("a secret for all\n")
    more = (
        "receivers:\n  - {name: a, slack: {webhook_url: '${HOOK}'}}\n"
        f"  - {{name: b, webhook: {{url: '${{HOOK}}', secret_file: '{key}'}}}}\n"
        "route: {receiver: a}\n"
    )
    ill = patient(tmp_path, more)
    key.chmod(0o644)
    told = [f.said for f in found(ill, "permissions")]
    assert f"{key} holds a secret and everyone may read it" in told
    assert not any("rasid.yaml" in said for said in told)
    key.chmod(0o640)
    assert not any("secret and" in f.said for f in found(ill, "permissions"))


# --- with mounts and a network of its own -------------------------------------------------------

FULL = "mount -t tmpfs -o size=300k t {0} && cp {0}.yaml {0}/rasid.yaml && {{ cat /dev/zero >{0}/f;"
READ_ONLY = "mount -t tmpfs t {0} && cp {0}.yaml {0}/rasid.yaml && mount -o remount,ro {0} && {{ :;"


def mounted(how: str, folder: Path, config: str, then: str = 'exec "$0" -m rasid "$@"') -> str:
    """A shell's command that mounts `folder` so, with rasid.yaml in it, and goes on. What comes
    then takes the shell's place, so that it ends when that is killed."""
    folder.mkdir()
    folder.with_name(folder.name + ".yaml").write_text(config.replace("HERE", str(folder)))
    return f"{how.format(folder)} {then}; }}"


HERE = "log: sqlite://HERE/rasid.db\nserve: none\n"


LOOK = """
import json, sys
from dataclasses import asdict
from tests.rasid.test_doctor import found, patient_of
told = {folder: found(patient_of(folder), "disk", "network") for folder in sys.argv[1:]}
print(json.dumps({folder: [asdict(f) for f in findings] for folder, findings in told.items()}))
"""


@pytest.mark.external
def test_a_disk_that_takes_nothing_and_no_network(
    tmp_path: Path, secluded: tuple[str, ...]
) -> None:
    config = HERE + "sources: [{id: a, feeds: ['http://news.example/f', 'http://9.9.9.9/f']}]\n"
    shell = " && ".join(
        mounted(how, tmp_path / name, config, ":")
        for how, name in ((FULL, "full"), (READ_ONLY, "fixed"))
    )
    done = subprocess.run(
        [*secluded, "sh", "-c", f'{shell} && exec "$0" "$@"', sys.executable, "-c", LOOK,
         str(tmp_path / "full"), str(tmp_path / "fixed")],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    for name, said in (("full", "the disk is full"), ("fixed", "the file system is read-only")):
        disk, network = told[f"{tmp_path}/{name}"]
        assert (disk["status"], disk["said"]) == ("wrong", f"{tmp_path}/{name}: {said}")
        assert disk["todo"]
        assert network["status"] == "wrong"
        assert "none of 2 sites asked can be reached" in network["said"]
        assert "set HTTPS_PROXY" in network["todo"]


@pytest.mark.external
@pytest.mark.parametrize(
    ("how", "reason", "said"),
    [
        (FULL, "full", "the disk is full"),
        (READ_ONLY, "io", "the file system is read-only"),
    ],
    ids=["full", "read-only"],
)
def test_the_daemon_says_so_too(
    how: str, reason: str, said: str, tmp_path: Path, secluded: tuple[str, ...]
) -> None:
    rows = "".join(f"  - {{id: s{i}, feeds: ['http://s{i}.example/f']}}\n" for i in range(5100))
    shell = mounted(how, tmp_path / "m", HERE + (f"sources:\n{rows}" if reason == "full" else ""))
    if reason == "full":
        shell = shell.replace("size=300k", "size=700k")
    command = [*secluded, "sh", "-c", shell, sys.executable, "run"]
    path = tmp_path / "m" / "rasid.yaml"
    with Daemon("--config", str(path), cwd=tmp_path, command=command) as daemon:
        away = daemon.event("log_unavailable", "log_away")
        assert away["reason"] == reason
        told: dict[str, Any] = {}
        while not {"disk", "network"} <= told.keys():
            event = daemon.event("checkup")
            told[event["check"]] = event
        assert told["disk"]["found"] == f"{tmp_path}/m: {said}"
        assert told["disk"]["level"] == "error"
        assert "no name is known" in told["network"]["found"]
        if reason == "full":
            assert told["feeds"]["found"].startswith("5,100 feeds on 5,100 sites: up to 42 polls")


def test_the_daemon_refuses_a_log_of_a_later_format(tmp_path: Path) -> None:
    path = a_log(tmp_path)
    set_format(path)
    ill = patient(tmp_path)
    before = path.read_bytes()
    with Daemon("--config", str(ill.path), cwd=tmp_path) as daemon:
        assert daemon.wait() == 1
        assert daemon.seen[0].startswith(f"rasid: {path}: a log of format 2, this Rasid knows up")
    assert path.read_bytes() == before


# --- the way out --------------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """Whose certificates this machine trusts."""
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return made


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def expired(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert(
        "127.0.0.1",
        not_before=datetime.now(UTC) - timedelta(days=90),
        not_after=datetime.now(UTC) - timedelta(days=1),
    )


def test_a_certificate_that_has_expired_among_sites_that_are_well(
    tmp_path: Path, authority: trustme.CA
) -> None:
    with ScriptedServer() as well, TlsServer(expired(authority)) as ill:
        address = f"https://127.0.0.1:{ill.port}"
        good, bad, clock = found(
            patient(tmp_path, feeds(well.base + "/f", address + "/f")), "network", "clock"
        )
    assert (good.status, good.said) == ("ok", "1 of 2 sites asked answer")
    assert (bad.status, bad.said) == (
        "warning",
        f"{address}/robots.txt: no secure connection: certificate has expired",
    )
    assert "this machine's clock" in bad.todo
    assert clock.status == "ok"


def test_when_no_certificate_is_good_the_clock_is_asked_for_all_the_same(
    tmp_path: Path, authority: trustme.CA
) -> None:
    with TlsServer(expired(authority)) as ill:
        more = feeds(f"https://127.0.0.1:{ill.port}/f")
        network, clock = found(patient(tmp_path, more, lambda: FUTURE), "network", "clock")
    assert network.status == "wrong"
    assert "no certificate is trusted" in network.said
    assert "look at this machine's clock" in network.todo
    assert clock.status == "wrong"
    assert "is 365 days ahead of the sites'" in clock.said
    assert "set-ntp" in clock.todo


def test_the_clock_against_sites_and_log() -> None:
    day = datetime(2026, 3, 1, tzinfo=UTC)
    second, year = timedelta(seconds=1), timedelta(days=365)
    judged = [
        judge_clock(day, ahead, newest)
        for ahead, newest in (
            ([second, -second, year], day - second),  # one site's is wrong, not ours
            ([-year, -year, second], None),
            ([90 * second], None),
            ([], day + year),
            ([], day - second),
        )
    ]
    assert [finding.status for finding in judged] == ["ok", "wrong", "warning", "wrong", "warning"]
    assert "365 days behind the sites'" in judged[1].said
    assert "2 minutes ahead" in judged[2].said
    assert "365 days before the newest article in the log was written" in judged[3].said
    assert "could not be compared" in judged[4].said


def test_a_clock_behind_its_own_log(tmp_path: Path) -> None:
    a_log(tmp_path, (ARTICLES, b"{}"))
    past = datetime.now(UTC) - timedelta(days=365)
    finding = one(patient(tmp_path, clock=lambda: past), "clock")
    assert "is 365 days before the newest article in the log" in finding.said


def test_by_a_proxy_and_by_one_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ill = lambda: patient(tmp_path, feeds("http://news.example/f"))  # noqa: E731
    with ScriptedServer() as site, ProxyServer({"news.example": site.port}) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        good = one(ill(), "network")
        assert good.said == f"1 of 1 sites asked by the proxy http://127.0.0.1:{proxy.port} answer"
    down = one(ill(), "network")
    assert down.status == "wrong"
    assert f"no way through the proxy http://127.0.0.1:{proxy.port}: Connection" in down.said
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:1")
    none = one(ill(), "network")
    assert none.said.startswith("the environment's HTTP_PROXY (or ALL_PROXY) is no address")


def test_the_daemon_tells_of_clock_and_certificate_and_proxy(
    tmp_path: Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def of_last_year(request: Any) -> Any:
        date = format_datetime(datetime.now(UTC) - timedelta(days=365), usegmt=True)
        return web.Response(headers={"Date": date})

    with ScriptedServer() as site, TlsServer(expired(authority)) as ill:
        site.answers["/robots.txt"] = of_last_year
        more = feeds(site.base + "/f", f"https://127.0.0.1:{ill.port}/f")
        path = str(patient(tmp_path, more).path)
        told: dict[str, Any] = {}
        with Daemon("--config", path, cwd=tmp_path) as daemon:
            while not {"clock", "network"} <= told.keys():
                event = daemon.event("checkup")
                told[event["check"]] = event
    assert "certificate has expired" in told["network"]["found"]
    assert told["clock"]["level"] == "error"
    assert "is 183 days ahead" in told["clock"]["found"]  # half of it: between two sites
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:1")
    with Daemon("--config", path, cwd=tmp_path) as daemon:
        assert daemon.wait() == 1
        assert daemon.seen[0].startswith("rasid: the environment's HTTP_PROXY (or ALL_PROXY) is no")


# --- the rest -----------------------------------------------------------------------------------


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
