"""The configuration file: what is right is read, what is wrong is told at once, with its line."""

from pathlib import Path

import pytest

from rasid import app
from rasid.config import Config, parse_duration
from rasid.configfile import check, load
from rasid.yamltree import parse_tree
from streams.errors import ConfigError

WHOLE = """\
log: sqlite:///var/lib/rasid/rasid.db
collect:
  contact: desk@example.org
  site_delay: 5s
  min_interval: 2m
  max_interval: 1h
  allow_networks: [127.0.0.0/8]
catalogue: [yafa-news, arabi21, enab-baladi]
sources:
  - id: desk-test
    name: صفحة التجربة
    language: ar
    feeds:
      - http://127.0.0.1:8000/feed.xml
      - {url: "http://127.0.0.1:8000/other.xml", interval: 1s}
receivers:
  - name: desk
    slack: {webhook_url: "${SLACK_WEBHOOK}"}
  - name: editors
    email: {from: rasid@example.org, to: [editors@example.org],
            smtp: "smtp://user@mail.example.org:587", password_file: PASSWORD_FILE, tls: starttls}
  - name: here
    terminal: {}
route:
  receiver: desk
  routes:
    - match: {theme: [oil_field], country: [LY]}
      receiver: editors
      continue: true
alerts: {max_age: 24h}
serve: 127.0.0.1:9464
"""
ENVIRONMENT = {"SLACK_WEBHOOK": "https://hooks.example.org/services/T0/B0/s3cr3t"}


def problems(text: str, environment: dict[str, str] | None = None) -> list[str]:
    config, found = check(parse_tree(text, "rasid.yaml"), environment or {})
    assert (config is None) == bool(found)
    return [str(p) for p in found]


def good(text: str, environment: dict[str, str] | None = None) -> Config:
    config, found = check(parse_tree(text, "rasid.yaml"), environment or {})
    assert config is not None, [str(p) for p in found]
    return config


def test_every_documented_key_is_read(tmp_path: Path) -> None:
    password = tmp_path / "smtp"
    password.write_text("hunter2\n")
    config = good(WHOLE.replace("PASSWORD_FILE", str(password)), ENVIRONMENT)
    assert config.collect.max_interval == 3600
    assert [s.id for s in app.sources(config)] == [
        "yafa-news", "arabi21", "enab-baladi", "desk-test",
    ]  # fmt: skip
    assert [f.interval_s for f in app.sources(config)[-1].feeds] == [None, 1.0]
    desk, editors, _ = app.receivers(config)
    assert desk.channel.webhook_url == ENVIRONMENT["SLACK_WEBHOOK"]  # type: ignore[union-attr]
    assert editors.channel.password == "hunter2"  # type: ignore[union-attr]
    assert editors.channel.user == "user"  # type: ignore[union-attr]
    route = app.route(config)
    assert (route.receiver, route.routes[0].receiver, route.routes[0].continue_) == (
        "desk", "editors", True,
    )  # fmt: skip
    assert route.routes[0].match.country == ("LY",)


def test_an_empty_file_is_the_core_catalogue_on_the_terminal() -> None:
    config = good("")
    assert len(app.sources(config)) >= 25
    assert [r.name for r in app.receivers(config)] == ["here"]
    assert app.route(config).receiver == "here"


def test_own_sources_alone_do_not_bring_the_catalogue() -> None:
    config = good("sources: [{id: mine, feeds: ['http://127.0.0.1/f']}]")
    assert [s.id for s in app.sources(config)] == ["mine"]


def test_all_problems_are_told_at_once_with_line_and_key() -> None:
    found = problems(
        """\
log: sqlite://relative.db
colect: {}
collect:
  site_delay: 5 seconds
  min_intervall: 2m
  allow_networks: [300.0.0.0/8]
catalogue: [enab-balady]
sources:
  - id: Desk
    feeds: [ftp://x/feed]
receivers:
  - name: desk
    slack: {}
  - name: desk
    terminal: {}
route:
  receiver: dsk
  routes:
    - match: {theme: [oil_fields], country: [Libya], development: [violate]}
      receiver: desk
      kontinue: yes
serve: 9464
"""
    )
    text = "\n".join(found)
    for expected in (
        "rasid.yaml:1: log: is no address like sqlite:///",
        "rasid.yaml:2: colect: unknown key; did you mean collect?",
        "rasid.yaml:4: collect.site_delay: '5 seconds' is no duration",
        "rasid.yaml:5: collect.min_intervall: unknown key; did you mean min_interval?",
        "rasid.yaml:7: catalogue[0]: ",
        "did you mean enab-baladi",
        "rasid.yaml:9: sources[0].id: ",
        "rasid.yaml:10: sources[0].feeds[0]: ",
        "rasid.yaml:13: receivers[0].slack: needs either webhook_url, or token and channel",
        "rasid.yaml:14: receivers[1].name: 'desk' stands here twice",
        "rasid.yaml:17: route.receiver: no receiver is named 'dsk'; did you mean desk?",
        "rasid.yaml:19: route.routes[0].match.theme[0]: 'oil_fields' is none of",
        "did you mean oil_field?",
        "route.routes[0].match.country[0]: 'Libya' is no ISO country code",
        "route.routes[0].match.development[0]: 'violate' is no development; did you mean violated?",
        "rasid.yaml:21: route.routes[0].kontinue: unknown key; did you mean continue?",
        "rasid.yaml:22: serve: input should be a valid string (it is 9464)",
    ):
        assert expected in text
    lines = [int(p.split(":")[1]) for p in found]
    assert lines == sorted(lines)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("collect: [", "rasid.yaml:1: is not valid YAML"),
        ("- a\n- b", "holds no keys"),
        ("serve: 127.0.0.1:1\nserve: 127.0.0.1:2", "rasid.yaml:2: serve: stands here twice"),
        ("collect: 5", "collect: holds keys of its own"),
        ("receivers: [{name: a, terminal: {}}, {name: b, terminal: {}}]", "no `route` says"),
        ("receivers: [{name: a}]", "exactly one of slack, email, webhook, push, terminal"),
        ("sources: [{id: a, feeds: []}]", "sources[0].feeds"),
        ("a: &x {b: *x}", "contains itself"),
    ],
)
def test_a_torn_or_senseless_file_is_told(text: str, expected: str) -> None:
    assert expected in "\n".join(problems(text))


def test_a_missing_file_names_itself(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read: No such file"):
        load(tmp_path / "nowhere.yaml")


def test_an_unset_variable_and_an_unreadable_secret_file_are_told_once() -> None:
    found = problems(
        "receivers:\n- name: a\n  slack: {webhook_url: '${NOT_SET}'}\n"
        "- name: b\n  slack: {token_file: /nowhere/token, channel: C1}\nroute: {receiver: a}\n"
    )
    assert found == [
        "rasid.yaml:3: receivers[0].slack.webhook_url: the environment has no NOT_SET",
        "rasid.yaml:5: receivers[1].slack.token_file: /nowhere/token cannot be read: "
        "No such file or directory",
    ]


def test_no_problem_shows_a_secret() -> None:
    secret = "xoxb-very-secret"
    found = problems(
        "receivers:\n"
        "- name: a\n  slack: {webhook_url: '${S}'}\n"
        "- name: b\n  slack: {token: ['${S}'], channel: C1}\n"
        "- name: c\n  email: {from: a@b.c, to: [d@e.f], smtp: 'http://u:${S}@h'}\n"
        "- name: d\n  email: {from: a@b.c, to: [d@e.f], smtp: 'smtp://h', tls: '${S}'}\n"
        "route: {receiver: a}\nserve: '${S}'\nlog: '${S}'\n",
        {"S": secret},
    )
    assert len(found) >= 5
    assert secret not in "\n".join(found)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("5s", 5), ("2m", 120), ("1h", 3600), ("1d", 86400)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "5 s", "-5s", "s", "5 minutes", "1h30m", 5, None])
def test_no_durations(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)
