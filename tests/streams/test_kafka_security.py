"""TLS, SCRAM and ACLs against a real broker that insists on all three."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ConfigResource,
    ConfigResourceType,
    ResourcePattern,
    ResourceType,
)

from rasid.configfile import load
from rasid.demo.broker import Brokers
from rasid.options import configured_log
from streams import kafka_client
from streams.errors import LogUnavailable
from streams.kafka import KafkaLog
from streams.kafka_options import KafkaOptions, Security, kafka_options
from streams.log import Transaction
from streams.records import ALERTS, DELIVERIES, FLAGS
from tests.fakes.streams_contract import wait_until

SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required"
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"


@dataclass
class Secured:
    brokers: Brokers
    ca: Path

    def options(self, user: str, password: str, mechanism: str = "SCRAM-SHA-512") -> KafkaOptions:
        security = Security(tls=True, ca=self.ca, mechanism=mechanism, user=user, password=password)
        return kafka_options(self.brokers.url, "one", security)

    def log(self, options: KafkaOptions) -> KafkaLog:
        return KafkaLog(options, clock=lambda: datetime.now(UTC))


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    ca = folder / "ca.pem"
    authority.cert_pem.write_to_path(ca)

    def inline(pem: bytes) -> str:
        return pem.decode().strip().replace("\n", "\\n")

    def pkcs8(pem: bytes) -> bytes:  # the only form that Java reads
        return load_pem_private_key(pem, None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )

    settings = {
        "listeners": "SASL_SSL://127.0.0.1:{port},CONTROLLER://127.0.0.1:{control}",
        "listener.security.protocol.map": "SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "SASL_SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.key": inline(pkcs8(issued.private_key_pem.bytes())),
        "ssl.keystore.certificate.chain": inline(issued.cert_chain_pems[0].bytes()),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": inline(authority.cert_pem.bytes()),
        "sasl.enabled.mechanisms": "SCRAM-SHA-512,SCRAM-SHA-256,PLAIN",
        "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config":
            f'{SCRAM} username="admin" password="admin-secret";',
        "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config": f"{SCRAM};",
        "listener.name.sasl_ssl.plain.sasl.jaas.config":
            f'{PLAIN} user_admin="admin-secret" user_rasid="rasid-secret";',
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:admin;User:ANONYMOUS",  # the controllers speak without a name here
        "rasid.scram.1": "SCRAM-SHA-512=[name=admin,password=admin-secret]",
        "rasid.scram.2": "SCRAM-SHA-512=[name=rasid,password=rasid-secret]",
        "rasid.scram.3": "SCRAM-SHA-256=[name=rasid,password=rasid-secret]",
        "rasid.scram.4": "SCRAM-SHA-512=[name=nobody,password=nobody-secret]",
    }  # fmt: skip
    with Brokers(folder, settings=settings) as brokers:
        it = Secured(brokers, ca)
        admin = kafka_client.admin(it.options("admin", "admin-secret"))
        allow(admin)
        admin.close()
        yield it


def allow(admin: KafkaAdminClient) -> None:
    """What docs/kafka.md says that Rasid needs, and nothing more."""
    needed = {
        (ResourceType.TOPIC, "rasid."): (
            ACLOperation.CREATE, ACLOperation.DESCRIBE, ACLOperation.READ, ACLOperation.WRITE,
            ACLOperation.DELETE, ACLOperation.DESCRIBE_CONFIGS,
        ),
        (ResourceType.GROUP, "rasid"): (ACLOperation.DESCRIBE, ACLOperation.READ),
        (ResourceType.TRANSACTIONAL_ID, "rasid."): (ACLOperation.DESCRIBE, ACLOperation.WRITE),
    }  # fmt: skip
    admin.create_acls(
        [
            ACL(
                principal="User:rasid",
                host="*",
                operation=operation,
                permission_type=ACLPermissionType.ALLOW,
                resource_pattern=ResourcePattern(kind, name, ACLResourcePatternType.PREFIXED),
            )
            for (kind, name), operations in needed.items()
            for operation in operations
        ]
    )


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"])
def test_with_a_login_over_tls_and_the_least_of_rights_all_works(
    secured: Secured, mechanism: str
) -> None:
    with closing(secured.log(secured.options("rasid", "rasid-secret", mechanism))) as log:
        writer = log.stage("process")
        assert writer.acquire(30)
        tx = Transaction()
        tx.append(FLAGS, mechanism, b"{}")
        writer.commit(tx)
        stage = log.stage("alert", [FLAGS])
        assert stage.acquire(30)
        messages = stage.poll(10, 30)
        assert messages[-1].key == mechanism
        tx = Transaction()
        tx.append(ALERTS, mechanism, b"{}")
        tx.put(DELIVERIES, mechanism, b"{}")
        stage.commit(tx, messages)
        assert log.lag()["alert"] == {FLAGS: 0}
        assert [t.records for t in log.topics() if t.name == ALERTS] == [1]
        assert [row.key for row in log.rows(DELIVERIES)] == [mechanism]
        later = datetime.now(UTC) + timedelta(hours=1)
        assert log.expire({ALERTS: 1, DELIVERIES: 1}, later) == 2
        log.set_positions("archive", log.positions()["alert"])


def test_by_the_least_of_rights_it_is_seen_what_brokers_would_delete(secured: Secured) -> None:
    def keep_for(admin: KafkaAdminClient, milliseconds: int) -> None:
        settings = {"retention.ms": str(milliseconds)}
        topic = ConfigResource(ConfigResourceType.TOPIC, ALERTS, settings)
        admin.alter_configs([topic])

    with (
        closing(secured.log(secured.options("rasid", "rasid-secret"))) as log,
        closing(kafka_client.admin(secured.options("admin", "admin-secret"))) as admin,
    ):
        assert log.stage("process").acquire(30)
        keep_for(admin, 1000)
        try:
            wait_until(lambda: any("retention.ms=1000" in each for each in log.problems()))
        finally:
            keep_for(admin, -1)
            wait_until(lambda: not log.problems())


def test_what_is_refused_is_told_with_what_to_look_at(
    secured: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.kafka_client.BOOTSTRAP_S", 2.0)
    good = secured.options("rasid", "rasid-secret")
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    wrong = {
        "password": secured.options("rasid", "wrong"),
        "rights": secured.options("nobody", "nobody-secret"),
        "certificate": replace(good, security=replace(good.security, ca=other)),
        "no file": replace(good, security=replace(good.security, ca=tmp_path / "none.pem")),
    }
    told = {}
    for what, options in wrong.items():
        with closing(secured.log(options)) as log, pytest.raises(LogUnavailable) as caught:
            log.stage("alert", [FLAGS]).acquire(5)
        told[what] = caught.value.reason
        assert "wrong" not in str(caught.value)
        assert "secret" not in str(caught.value)
    assert told == dict.fromkeys(wrong, "denied")


def test_the_configuration_says_how_to_log_in(
    secured: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rasid.yaml"
    (tmp_path / "password").write_text("rasid-secret\n")
    path.write_text(
        f"log: {secured.brokers.url}\ninstance: one\nkafka:\n  tls: true\n  ca: {secured.ca}\n"
        f"  mechanism: SCRAM-SHA-512\n  user: rasid\n  password_file: {tmp_path}/password\n"
    )
    config = load(path)
    assert "rasid-secret" in config.secrets()
    assert "rasid-secret" not in repr(config)
    with closing(configured_log(config, lambda: datetime.now(UTC))) as log:
        assert log.stage("archive", [FLAGS]).acquire(30)
