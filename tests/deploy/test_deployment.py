"""The files that bring Rasid to a machine are of the form their programs ask for, and name what
there is. Images are not built here and no cluster is started: that is linting."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import compose_spec
import kubernetes_validate
import pytest
import yaml

from rasid.configfile import check
from rasid.yamltree import parse_tree
from streams.kafka_options import KafkaOptions
from tests.conftest import require

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = "1.33"


def documents() -> list[dict[str, Any]]:
    text = (DEPLOY / "kubernetes" / "rasid.yaml").read_text(encoding="utf-8")
    return list(yaml.safe_load_all(text))


def pods() -> list[dict[str, Any]]:
    return [d for d in documents() if d["kind"] in ("Deployment", "StatefulSet")]


def test_hadolint_has_nothing_against_the_dockerfile() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [str(hadolint), str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_image_is_made_of_what_there_is() -> None:
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [
        line.split()[1:-1] for line in lines if line.startswith("COPY") and "--from" not in line
    ]
    names = {name for line in copied for name in line}
    assert all((ROOT / name).exists() for name in names)
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    packages -= {"drills", "tests", "benchmarks"}
    assert packages <= names


def test_the_compose_file_is_one_and_mounts_what_there_is() -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    compose = compose_spec.PyCompose.from_yaml(text)
    compose.validate()
    assert set(compose.service_names()) == {
        "rasid", "kafka", "prometheus", "alertmanager", "grafana",
    }  # fmt: skip
    with pytest.raises(ValueError, match="imagee"):  # the check is one
        compose_spec.PyCompose.from_yaml(text.replace("image: rasid", "imagee: rasid"))
    services = yaml.safe_load(text)["services"]
    mounted = [v.split(":")[0] for s in services.values() for v in s.get("volumes", ())]
    for path in (m for m in mounted if m.startswith(".")):
        assert (DEPLOY / path).exists(), path
    places = [volume.split(":")[1] for volume in services["rasid"]["volumes"]]
    assert services["rasid"]["environment"]["SQLITE_TMPDIR"] in places  # a tmpfs is memory
    for ports in (s.get("ports", ()) for s in services.values()):
        assert all(port.startswith("127.0.0.1:") for port in ports)  # nothing here asks who one is


@pytest.mark.parametrize(
    "document", documents(), ids=lambda d: f"{d['kind']} {d['metadata']['name']}"
)
def test_kubernetes_takes_it(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_what_kubernetes_does_not_take_is_found() -> None:
    (pod, *_) = pods()
    pod["spec"]["template"]["spec"]["containers"][0]["readOnly"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)


def test_every_stage_has_a_workload_that_is_watched_and_locked_in() -> None:
    assert {p["spec"]["template"]["spec"]["containers"][0]["args"][0] for p in pods()} == {
        "collect", "process", "alert",
    }  # fmt: skip
    for each in pods():
        spec = each["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        assert spec["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert {"startupProbe", "livenessProbe", "readinessProbe", "resources"} <= container.keys()
        assert (
            each["spec"]["selector"]["matchLabels"]
            == each["spec"]["template"]["metadata"]["labels"]
        )
        # A name that a new pod of the stage has again.
        assert "hostname" in spec or each["kind"] == "StatefulSet"


def test_processors_are_scaled_by_their_lag_up_to_their_partitions() -> None:
    (scaler,) = (d["spec"] for d in documents() if d["kind"] == "HorizontalPodAutoscaler")
    (target,) = (
        p for p in pods()
        if p["spec"]["template"]["spec"]["containers"][0]["args"][0] == "process"
    )  # fmt: skip
    assert scaler["scaleTargetRef"] == {
        "apiVersion": target["apiVersion"],
        "kind": target["kind"],
        "name": target["metadata"]["name"],
    }
    (metric,) = (m["external"] for m in scaler["metrics"])
    assert metric["metric"]["selector"] == {"matchLabels": {"stage": "process"}}
    assert metric["target"]["type"] == "AverageValue"  # of all pods together, not of each
    metrics = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert f"| `{metric['metric']['name']}` | gauge | `stage` |" in metrics
    assert scaler["maxReplicas"] == KafkaOptions(("kafka:9092",), "a").partitions


def configurations() -> list[Any]:
    (config,) = (d for d in documents() if d["kind"] == "ConfigMap")
    compose = (DEPLOY / "compose" / "rasid.yaml").read_text(encoding="utf-8")
    return [
        pytest.param(compose, id="compose"),
        pytest.param(config["data"]["rasid.yaml"], id="k8s"),
    ]


@pytest.mark.parametrize("text", configurations())
def test_their_configurations_are_good(text: str, tmp_path: Path) -> None:
    secret = tmp_path / "slack"
    secret.write_text("https://hooks.example.org/x")
    tree = parse_tree(text.replace("/run/secrets/rasid/slack", str(secret)), "rasid.yaml")
    config, problems = check(tree, {})
    assert [str(p) for p in problems] == []
    assert config is not None
    assert config.serve == "0.0.0.0:9464"


@pytest.mark.external
def test_prometheus_and_alertmanager_take_their_configurations(promtool: str) -> None:
    for command in (
        [promtool, "check", "config", str(DEPLOY / "prometheus" / "prometheus.yml")],
        [require("amtool"), "check-config", str(DEPLOY / "prometheus" / "alertmanager.yml")],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
