"""Configurations for the doctor to look at, and what it finds of them."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from rasid.app import now
from rasid.configfile import load
from rasid.doctor import CHECKS, Finding, Patient, examine
from streams.log import Transaction
from streams.sqlite import SqliteLog


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


def expired(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert(
        "127.0.0.1",
        not_before=datetime.now(UTC) - timedelta(days=90),
        not_after=datetime.now(UTC) - timedelta(days=1),
    )
