"""`rasid feeds health`, and how a notice of it reads where it arrives."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from alerts.mail import mail_html, mail_text, subject
from alerts.render import message
from alerts.slack import payload
from alerts.terminal import terminal_text
from collectors.health import changed, told
from rasid.cli import app
from streams.carriers import open_log
from streams.log import Transaction
from streams.notices import operator_alert
from streams.records import FEEDS, FeedState, encode

NOW = datetime.now(UTC)


def state(name: str, **changes: Any) -> FeedState:
    fields: dict[str, Any] = {
        "source": name, "url": f"https://{name}.org/feed", "site": f"{name}.org",
        "first_polled": NOW - timedelta(days=9), "last_polled": NOW, "last_success": NOW,
        "last_new": NOW - timedelta(hours=1), "last_status": "ok", "gaps_s": (600.0,) * 20,
    }  # fmt: skip
    return FeedState(**fields | changes)


FAILING = state(
    "ill", well=False, failures=40, last_status="forbidden", unwell=("failing",),
    last_error="https://ill.org/feed answered 403", failing_since=NOW - timedelta(days=3),
)  # fmt: skip


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "rasid.yaml"
    names = ("well", "ill", "young")
    sources = ", ".join(f"{{id: {n}, feeds: ['https://{n}.org/feed']}}" for n in names)
    path.write_text(f"sources: [{sources}]\n")
    return path


def put(folder: Path, *states: FeedState) -> None:
    log = open_log(f"sqlite://{folder}/rasid.db", clock=lambda: NOW)
    stage = log.stage("collect")
    assert stage.acquire(1)
    tx = Transaction()
    for each in states:
        tx.put(FEEDS, f"{each.site}/{each.url}", encode(each))
    stage.commit(tx)
    stage.close()
    log.close()


def test_all_are_shown_the_unwell_first_with_what_to_do(config: Path) -> None:
    put(config.parent, state("well"), FAILING, state("gone"))
    result = CliRunner().invoke(app, ["feeds", "health", "--json"])
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [(each["source"], each["state"]) for each in found] == [
        ("ill", "failing"), ("well", "well"), ("young", "waiting"),
    ]  # fmt: skip
    (ailment,) = found[0]["unwell"]
    assert (ailment["reason"], ailment["why"]) == (
        "failing", "fails for 3 days: https://ill.org/feed answered 403",
    )  # fmt: skip
    assert "ask its webmaster" in ailment["do"]
    assert found[0]["told"] == ["failing"]
    shown = CliRunner().invoke(app, ["feeds", "health"], env={"COLUMNS": "200"})
    assert "failing: fails for 3 days" in shown.stdout
    assert "3 feeds, 1 unwell, 1 well, 1 not polled yet" in shown.stdout


def test_where_all_are_well_or_nothing_was_polled_the_exit_code_is_0(config: Path) -> None:
    result = CliRunner().invoke(app, ["feeds", "health"])
    assert (result.exit_code, "3 feeds, 0 unwell, 0 well, 3 not polled yet" in result.stdout) == (
        0, True,
    )  # fmt: skip
    put(config.parent, state("well"))
    assert CliRunner().invoke(app, ["feeds", "health", "well"]).exit_code == 0


def test_a_notice_says_in_every_channel_which_feed_why_and_what_to_do() -> None:
    it = changed(replace(FAILING, unwell=()), NOW)
    assert it is not None
    about = f"feed/{it.state.url}"
    shown = message(operator_alert(about, told("صحيفة التجربة", it), since=NOW))
    wanted = ("answered 403", "ask its webmaster", "صحيفة التجربة", "https://ill.org/feed")
    texts = {
        "terminal": terminal_text(shown).plain,
        "slack": json.dumps(payload(shown), ensure_ascii=False),
        "plain mail": mail_text(shown),
        "mail": mail_html(shown),
    }
    for channel, text in texts.items():
        for words in wanted:
            assert words in text, channel
    assert "answered 403" in subject(shown)
