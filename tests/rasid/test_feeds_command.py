"""`rasid feeds check`: what a program reads."""

import json
from datetime import datetime
from pathlib import Path

from typer.testing import CliRunner

from rasid.cli import app
from tests.fakes.collecting import XML, rss
from tests.fakes.scripted_server import ScriptedServer


def test_times_are_iso_8601_and_a_problem_comes_with_a_hint(tmp_path: Path) -> None:
    config = tmp_path / "rasid.yaml"
    with ScriptedServer() as server:
        server.answers["/feed"] = (200, XML, rss((f"{server.base}/a", "عنوان", "x")))
        config.write_text(
            "collect: {allow_networks: [127.0.0.0/8], site_delay: 0s}\n"
            f"sources: [{{id: a, feeds: ['{server.base}/feed', '{server.base}/gone']}}]\n"
        )
        result = CliRunner().invoke(app, ["feeds", "check", "--json", "--config", str(config)])
    well, gone = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (well["problem"], well["hint"], well["newest"][10]) == (None, None, "T")
    assert datetime.fromisoformat(well["newest"]).tzinfo is not None
    assert gone["problem"] == f"{server.base}/gone answered 404"
    assert "open it in a browser" in gone["hint"]
