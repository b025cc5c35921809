"""Whether messages will get out: how far each receiver can be reached without one, or with."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from alerts.errors import SendError
from alerts.receivers import Receiver
from alerts.trial import reach, send_test
from rasid.doctor.finding import Finding, Patient
from rasid.options import receivers as configured
from streams.errors import ConfigError


def receivers(patient: Patient) -> Iterator[Finding]:
    """All at once: one that does not answer holds up no other."""
    found = configured(patient.config)
    with ThreadPoolExecutor(min(32, len(found))) as pool:
        yield from pool.map(lambda receiver: _try(receiver, patient), found)


def _try(receiver: Receiver, patient: Patient) -> Finding:
    name = f"{receiver.name} ({receiver.kind})"
    try:
        if patient.send_test:
            send_test(receiver, patient.clock())
            return Finding("receivers", "ok", f"{name}: took a test message")
        return Finding("receivers", "ok", f"{name}: {reach(receiver)}")
    except SendError as error:
        return Finding("receivers", "wrong", f"{name}: {error}", _TODO.get(error.reason, ""))
    except ConfigError as error:
        return Finding("receivers", "wrong", str(error), "correct it in the configuration")


_AWAY = (
    "look whether it is up, and whether this machine may reach it (a web proxy is named by"
    " HTTPS_PROXY, mail goes by none); messages wait for it"
)
_TODO = {
    "timeout": _AWAY,
    "tls": "look at its certificate, at this machine's clock, and at its CA certificates",
    "auth": "correct the user, password, token or secret in the configuration",
    "not_found": "correct the address in the configuration",
    "refused": "read what it says, and correct the receiver in the configuration",
    "unavailable": _AWAY,
    "insecure": "set `tls` to what the server offers",
    "rate_limited": "it is asked too much; messages wait for it",
}
