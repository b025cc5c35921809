"""The doctor, and the daemon at its start, on files and disks that are ill: a log of another
version, a full disk, a folder that nothing may be written to."""

import json
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rasid.app import now
from rasid.configfile import load
from rasid.doctor import Finding, Patient
from streams.records import ARTICLES, FLAGS
from tests.fakes.daemon import Daemon
from tests.fakes.patients import a_log, found, one, patient

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures("no_proxy")


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
from tests.rasid.test_doctor_files import found, patient_of
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
