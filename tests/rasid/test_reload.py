"""SIGHUP: the daemon takes a good configuration up, and refuses any other, whatever is wrong."""

from pathlib import Path

import pytest

from rasid.configfile import check
from rasid.yamltree import parse_tree
from tests.fakes.daemon import Daemon, write


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("catalogue: [none, arabi21]\n", "catalogue: `none` stands alone"),
        ("receivers: 5\n", "receivers"),
        ("rules: [/nowhere]\n", "/nowhere"),
        ("colect: {}\n", "did you mean collect"),
    ],
)
def test_a_bad_configuration_is_refused_and_the_daemon_goes_on(
    tmp_path: Path, more: str, why: str
) -> None:
    with Daemon("--config", str(write(tmp_path)), cwd=tmp_path) as daemon:
        daemon.event("started")
        write(tmp_path, more)
        refused = daemon.reload()
        assert refused["event"] == "reload_refused"
        assert why in refused["error"]
        write(tmp_path, "catalogue: [arabi21]\n")
        assert daemon.reload()["sources"] == 2
        assert daemon.end() == 0


@pytest.mark.parametrize("named", [True, False])
def test_a_file_that_is_gone_or_empty_is_refused(tmp_path: Path, named: bool) -> None:
    path = write(tmp_path)
    with Daemon(*(["--config", str(path)] if named else []), cwd=tmp_path) as daemon:
        daemon.event("started")
        path.write_text("")
        assert "holds no keys" in daemon.reload()["error"]
        path.unlink()
        assert "cannot be read: No such file" in daemon.reload()["error"]
        assert daemon.end() == 0


def test_none_beside_other_names_is_told_with_its_line_and_key() -> None:
    _, found = check(parse_tree("serve: none\ncatalogue: [none, arabi21]", "rasid.yaml"), {})
    assert [str(p) for p in found] == [
        "rasid.yaml:2: catalogue: `none` stands alone, or not at all"
    ]


def test_a_mistake_in_the_rules_ends_a_start_that_has_begun_to_collect(tmp_path: Path) -> None:
    path = write(tmp_path, "rules: [/nowhere]\n")
    with Daemon("--config", str(path), cwd=tmp_path) as daemon:
        assert daemon.wait() == 1
        assert any("/nowhere: no such folder of rules" in line for line in daemon.seen)
        assert any('"stopped"' in line and '"collect"' in line for line in daemon.seen)
