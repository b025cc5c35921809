"""Every alert rule fires when it should and not when it should not, and says what to do."""

import re
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "rules.yaml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


@pytest.mark.external
def test_the_rules_do_what_their_cases_say(promtool: str) -> None:
    done = subprocess.run(
        [promtool, "test", "rules", "rules_test.yaml"],
        cwd=PROMETHEUS, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_has_a_case_that_fires_and_one_that_does_not() -> None:
    cases = yaml.safe_load((PROMETHEUS / "rules_test.yaml").read_text(encoding="utf-8"))["tests"]
    fires: dict[str, set[bool]] = defaultdict(set)
    for case in cases:
        for expected in case["alert_rule_test"]:
            fires[expected["alertname"]].add(bool(expected["exp_alerts"]))
    assert fires == {rule["alert"]: {True, False} for rule in rules()}


def test_each_has_a_runbook_and_no_runbook_is_of_nothing() -> None:
    named = {rule["annotations"]["runbook"] for rule in rules()}
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert named == there


def test_links_between_runbooks_lead_somewhere() -> None:
    for path in (ROOT / "docs" / "runbooks").glob("*.md"):
        for link in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_they_ask_for_metrics_that_there_are() -> None:
    told = set(re.findall(r"`(rasid_\w+)`", (ROOT / "docs" / "metrics.md").read_text("utf-8")))
    asked = {name for rule in rules() for name in re.findall(r"\brasid_\w+", rule["expr"])}
    histograms = {name.removesuffix("_bucket").removesuffix("_count") for name in asked}
    assert histograms <= told
