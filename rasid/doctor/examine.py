"""All checks at once, each bounded in time."""

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Final

from rasid.doctor.disk import disk, integrity, permissions, sqlite_log
from rasid.doctor.finding import Check, Finding, Patient
from rasid.doctor.program import broker, daemon, feeds, rules
from rasid.doctor.receivers import receivers
from rasid.doctor.sites import clock, network
from streams.errors import RasidError

LIMIT_S: Final = 30.0  # for all of them; each bounds itself well below
CHECKS: Final[Mapping[str, Check]] = {
    "permissions": permissions,
    "disk": disk,
    "log": sqlite_log,
    "integrity": integrity,
    "broker": broker,
    "rules": rules,
    "feeds": feeds,
    "network": network,
    "clock": clock,
    "receivers": receivers,
    "daemon": daemon,
}


def examine(
    patient: Patient, checks: Mapping[str, Check] = CHECKS, *, limit_s: float = LIMIT_S
) -> Iterator[Finding]:
    """What the checks find, in their order, each as soon as it is known. Ends within
    `limit_s`; of a check that has not answered by then, its silence is told."""
    done: dict[str, list[Finding]] = {}
    threads = {
        name: threading.Thread(
            target=_run, args=(name, check, patient, done), name=f"check-{name}", daemon=True
        )
        for name, check in checks.items()
    }
    deadline = time.monotonic() + limit_s
    for thread in threads.values():
        thread.start()
    for name, thread in threads.items():
        thread.join(max(0.0, deadline - time.monotonic()))
        silence = Finding(name, "wrong", f"no answer within {limit_s:g} s", "try once more")
        yield from done.get(name, [silence])


def _run(name: str, check: Check, patient: Patient, done: dict[str, list[Finding]]) -> None:
    try:
        done[name] = list(check(patient))
    except RasidError as error:
        done[name] = [Finding(name, "wrong", str(error))]
    except Exception as error:  # a defect here must hide nothing elsewhere
        done[name] = [
            Finding(
                name, "wrong", f"the check itself failed: {type(error).__name__}: {error}",
                "please report it",
            )
        ]  # fmt: skip
