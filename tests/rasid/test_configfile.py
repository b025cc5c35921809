"""The configuration file: what is right is read, what is wrong is told at once, with its line."""

from pathlib import Path

import pytest

from rasid import options, yamltree
from rasid.config import Config, parse_duration
from rasid.configfile import check, load
from rasid.yamltree import parse_tree
from streams.errors import ConfigError

ROOT = Path(__file__).parents[2]

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

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
SECRET = "xoxb-12-veryS3cret/x"


def problems(text: str, environment: dict[str, str] | None = None) -> list[str]:
    config, found = check(parse_tree(text, "rasid.yaml"), environment or {})
    assert (config is None) == bool(found)
    return [str(p) for p in found]


def good(text: str, environment: dict[str, str] | None = None) -> Config:
    config, found = check(parse_tree(text, "rasid.yaml"), environment or {})
    assert config is not None, [str(p) for p in found]
    return config


def receiver(channel: str) -> str:
    return f"receivers: [{{name: a, {channel}}}]\nserve: none"


def mail(more: str) -> str:
    return receiver(f"email: {{from: a@b.c, to: [d@e.f], smtp: 'smtp://h', {more}}}")


def routed(route: str) -> str:
    return f"receivers: [{{name: a, terminal: {{}}}}]\nroute: {route}"


def test_every_documented_key_is_read(tmp_path: Path) -> None:
    password = tmp_path / "smtp"
    password.write_text("hunter2\n")
    config = good(WHOLE.replace("PASSWORD_FILE", str(password)), ENVIRONMENT)
    assert config.collect.max_interval == 3600
    assert [s.id for s in options.sources(config)] == [
        "yafa-news", "arabi21", "enab-baladi", "desk-test",
    ]  # fmt: skip
    assert [f.interval_s for f in options.sources(config)[-1].feeds] == [None, 1.0]
    desk, editors, _ = options.receivers(config)
    assert desk.channel.webhook_url == ENVIRONMENT["SLACK_WEBHOOK"]  # type: ignore[union-attr]
    assert editors.channel.password == "hunter2"  # type: ignore[union-attr]
    assert editors.channel.user == "user"  # type: ignore[union-attr]
    route = options.route(config)
    assert (route.receiver, route.routes[0].receiver, route.routes[0].continue_) == (
        "desk", "editors", True,
    )  # fmt: skip
    assert route.routes[0].match.country == ("LY",)


def test_without_a_file_it_is_the_core_catalogue_on_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = load(None)
    assert len(options.sources(config)) >= 25
    assert [r.name for r in options.receivers(config)] == ["here"]
    assert options.route(config).receiver == "here"


def test_the_terminal_that_is_there_without_receivers_can_be_named() -> None:
    route = options.route(good("route: {receiver: here, routes: [{receiver: here}]}"))
    assert (route.receiver, route.routes[0].receiver) == ("here", "here")
    (found,) = problems("route: {receiver: hree}")
    assert found.endswith("no receiver is named 'hree'; did you mean here?")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("collect: {processes: 0}", "collect.processes: 0 is less than 1"),
        ("collect: {processes: two}", "collect.processes: 'two' is no whole number"),
        ("collect: {processes: 1.5}", "collect.processes: 1.5 is no whole number"),
        ("collect: {contact: 5}", "collect.contact: 5 is no text: put it in quotes"),
        (receiver("terminal: {}").replace("name: a", "name: ''"), "receivers[0].name: is empty"),
        ("sources: [{id: a, feeds: []}]", "sources[0].feeds: is empty"),
        (receiver("terminal: {}") + "\noperators: b", "operators: no receiver is named 'b'"),
        (routed("{receiver: a, continue: perhaps}"), "'perhaps' is neither yes nor no"),
        (routed("{receiver: a, match: {min_score: 2}}"), "match.min_score: 2 is more than 1"),
        (routed("{receiver: a, match: {min_score: high}}"), "min_score: 'high' is no number"),
        ("collect: {allow_networks: 10.0.0.0/8}", "collect.allow_networks: is a list: write its"),
        ("rules: [[a]]", "rules[0]: is no file name"),
    ],
)
def test_wrong_types_are_told_in_plain_words(text: str, expected: str) -> None:
    (found,) = problems(text)
    assert expected in found


def test_own_sources_alone_do_not_bring_the_catalogue() -> None:
    config = good("sources: [{id: mine, feeds: ['http://127.0.0.1/f']}]")
    assert [s.id for s in options.sources(config)] == ["mine"]


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
        "rasid.yaml:19: route.routes[0].match.theme[0]: 'oil_fields' is no theme",
        "did you mean oil_field?",
        "route.routes[0].match.country[0]: 'Libya' is no ISO country code",
        "route.routes[0].match.development[0]: 'violate' is no development; did you mean violated?",
        "rasid.yaml:21: route.routes[0].kontinue: unknown key; did you mean continue?",
        "rasid.yaml:22: serve: 9464 is no text: put it in quotes",
    ):
        assert expected in text
    lines = [int(p.split(":")[1]) for p in found]
    assert lines == sorted(lines)


def test_one_wrong_value_hides_nothing_beside_it_in_its_section() -> None:
    found = problems(
        """\
collect:
  site_delay: soon
  min_interval: 2h
  allow_networks: [300.0.0.0/8, 10.0.0.0/8, home]
receivers:
  - name: editors
    email:
      from: nobody
      to: [a@b.example, c.example, محرر@b.example]
      smtp: http://mail.example
      tls: ssl
    slack:
      channel: C1
      api_url: slack
"""
    )
    assert found == [
        "rasid.yaml:2: collect.site_delay: 'soon' is no duration: write a number and a unit, "
        "as in 5s, 2m, 1h or 1d",
        "rasid.yaml:3: collect.min_interval: min_interval is longer than max_interval",
        "rasid.yaml:4: collect.allow_networks[0]: '300.0.0.0/8' is no network like 127.0.0.0/8",
        "rasid.yaml:4: collect.allow_networks[2]: 'home' is no network like 127.0.0.0/8",
        "rasid.yaml:6: receivers[0]: needs exactly one of slack, email, webhook, push, terminal",
        "rasid.yaml:8: receivers[0].email.from: 'nobody' is no mail address",
        "rasid.yaml:9: receivers[0].email.to[1]: 'c.example' is no mail address",
        "rasid.yaml:9: receivers[0].email.to[2]: 'محرر@b.example' is no mail address of ASCII "
        "letters; a domain is written as xn--…",
        "rasid.yaml:10: receivers[0].email.smtp: is no address like "
        "smtp://user@mail.example.org:587",
        "rasid.yaml:11: receivers[0].email.tls: 'ssl' is none of starttls, implicit, none",
        "rasid.yaml:12: receivers[0].slack: needs either webhook_url, or token and channel",
        "rasid.yaml:14: receivers[0].slack.api_url: 'slack' is no http or https address",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sources: [{id: a, feeds: ['http://a.example:99999/f']}]", "sources[0].feeds[0]: 'http"),
        ("sources: [{id: a, feeds: [{url: 'http://a.example:x/f'}]}]", "sources[0].feeds[0].url: "),
        ("sources: [{id: A b, feeds: ['http://a.example/f']}]", "is not small letters, digits"),
        ("sources: [{id: a, country: Libya, feeds: ['http://a.example/f']}]", "ISO country code"),
        (receiver("slack: {webhook_url: 'https://h.example:99999/x'}"), "no http or https address"),
        (receiver("slack: {webhook_url: 'https://h.example/x', channel: C1}"), "stands beside"),
        (receiver("slack: {token: x, webhook_url: 'https://h.example/x'}"), "needs either"),
        (receiver("slack: {token: x}"), "token needs a channel"),
        (mail("tls: none").replace("smtp://h", "smtp://h:99999"), "email.smtp: is no address like"),
        (routed("{receiver: a, match: {source: [arabi22]}}"), "source's id; did you mean arabi21?"),
        (routed("{receiver: a, match: {language: Arabic}}"), "is no ISO language code"),
        ("alerts: {max_age: 99999999999d}", "alerts.max_age: '99999999999d' is longer than a hund"),
        ("retention: {flags: 99999999999d}", "retention.flags: "),
        ("sources: [{id: a, feeds: [{url: 'http://a/', interval: 99999999999d}]}]", "interval: "),
    ],
)
def test_what_would_fail_at_work_is_told_before(text: str, expected: str) -> None:
    (found,) = problems(text)
    assert expected in found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("collect: [", "rasid.yaml:1: is not valid YAML"),
        ("a: [1 : 2\nb: 1", "is not valid YAML: expected ',' or ']', but got ':'"),
        ("- a\n- b", "holds no keys"),
        ("", "rasid.yaml: holds no keys; `rasid init` writes a file to start from"),
        ("# serve: 127.0.0.1:1\n", "rasid.yaml: holds no keys"),
        ("serve: 127.0.0.1:1\nserve: 127.0.0.1:2", "rasid.yaml:2: serve: stands here twice"),
        ("collect: 5", "collect: holds keys of its own"),
        ("receivers: [{name: a, terminal: {}}, {name: b, terminal: {}}]", "no `route` says"),
        ("receivers: [{name: a}]", "exactly one of slack, email, webhook, push, terminal"),
        ("sources: [{id: a, feeds: []}]", "sources[0].feeds"),
        ("a: &x {b: *x}", "contains itself"),
        ("serve: none\na: " + "[" * 3000 + "]" * 3000, "rasid.yaml:2: is nested more than 50"),
        ("a: " + "{a: " * 3000, "is nested more than 50 levels deep"),
        (BOMB, "holds more than 300,000 values, with its aliases"),
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


@pytest.mark.parametrize(
    "text",
    [
        # from the environment, anywhere
        receiver("slack: {webhook_url: '${S}'}"),
        receiver("slack: {token: ['${S}'], channel: C1}"),
        receiver("slack: {token: '${S}', webhook_url: '${S}', channel: C1}"),
        receiver("email: {from: a@b.c, to: [d@e.f], smtp: 'http://u:${S}@h'}"),
        receiver("email: {from: '${S}', to: ['${S}'], smtp: 'smtp://h'}"),
        receiver("email: {from: a@b.c, to: '${S}', smtp: 'smtp://h'}"),
        mail("tls: '${S}'"),
        receiver("slack: {token_file: '/run/${S}', channel: C1}"),
        "receivers: [{name: '${S}', terminal: {}}, {name: '${S}', terminal: {}}]\nroute: "
        "{receiver: desk}",
        "receivers: [{name: '${S}', terminal: {}}]\nroute: {receiver: desk}",
        routed("{receiver: '${S}'}"),
        routed("{receiver: a, match: {theme: ['${S}']}}"),
        routed("{receiver: a, match: {theme: '${S}'}}"),
        routed("{receiver: a, match: {country: '${S}'}}"),
        routed("{receiver: a, match: {development: ['${S}']}}"),
        routed("{receiver: a, match: {language: ar, min_score: '${S}'}}"),
        "catalogue: '${S}'",
        "catalogue: [arabi21, '${S}']",
        "sources: [{id: '${S}', feeds: ['${S}']}, {id: '${S}', feeds: [{url: '${S}'}]}]",
        "collect: {site_delay: '${S}', allow_networks: ['${S}'], processes: '${S}'}",
        "serve: '${S}'\nlog: '${S}'\nrules: '${S}'\nalerts: '${S}'\nreceivers: '${S}'",
        # written into the file, in the wrong place
        receiver("slack: {webhook_url_file: 'https://hooks.slack.com/SECRET'}"),
        receiver("slack: {webhook_url_file: hooks.slack.com/services/SECRET}"),
        receiver("slack: {webhook_url_file: //hooks.slack.com/services/SECRET}"),
        receiver("slack: {token_file: SECRET, channel: C1}"),
        receiver("slack: {token_file: [SECRET], channel: C1}"),
        receiver("slack: SECRET"),
        receiver("slack: {SECRET: }"),
        receiver("slack: {tokn: SECRET}"),
        mail("password: [SECRET]"),
        mail("password_file: SECRET"),
        mail("pasword: SECRET"),
        "receivers: SECRET",
        "receivers: [SECRET]",
        "receivers: {slack: {token: SECRET}}",
        # as YAML takes a password that begins with a mark
        mail("password: *SECRET "),
        mail("password: &SECRET {}, to: &SECRET x"),
        mail("password: !SECRET x"),
        mail("password: !a!SECRET x"),
        mail("password: !!int SECRET"),
        mail("password: %SECRET"),
    ],
)
def test_no_problem_shows_a_secret(text: str) -> None:
    found = problems(text.replace("SECRET", SECRET), {"S": SECRET})
    assert found
    assert "veryS3cret" not in "\n".join(found)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("5s", 5), ("2m", 120), ("1h", 3600), ("1d", 86400)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "5 s", "-5s", "s", "5 minutes", "1h30m", 5, None])
def test_no_durations(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


def test_a_theme_of_ones_own_rules_can_be_routed(tmp_path: Path) -> None:
    text = (
        "receivers: [{name: a, terminal: {}}]\n"
        "route: {receiver: a, routes: [{receiver: a, match: {theme: prisoner_exchange}}]}\n"
    )
    path = tmp_path / "rasid.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="'prisoner_exchange' is no theme"):
        load(path)
    path.write_text(f"rules: [{tmp_path}]\n{text}", encoding="utf-8")
    assert load(path).route is not None


@pytest.mark.parametrize(
    "astray", ["exchange.yaml", "exchange.yml", "ar/exchange.yml", "themes/ar/exchange.yaml"]
)
def test_a_file_of_rules_that_would_not_be_read_is_told(tmp_path: Path, astray: str) -> None:
    rules = tmp_path / "rules"
    (rules / "ar").mkdir(parents=True)
    (rules / "ar" / "mine.yaml").write_text("theme: mine", encoding="utf-8")
    (rules / "notes.yaml").write_text("read: [them]", encoding="utf-8")
    text = f"serve: none\nrules: ['{rules}']"
    good(text)
    (rules / astray).parent.mkdir(parents=True, exist_ok=True)
    (rules / astray).write_text("# mine\ntheme: exchange\n", encoding="utf-8")
    assert problems(text) == [
        f"rasid.yaml:2: rules[0]: {astray} in it would not be read: a file of rules stands in the"
        " folder of its language, as ar/exchange.yaml"
    ]


@pytest.mark.parametrize(
    "path",
    [
        *ROOT.glob("deploy/**/*.y*ml"),
        ROOT / "rasid/starting.yaml",
        ROOT / "collectors/sources.yaml",
    ],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_both_scanners_read_the_same_at_the_same_lines(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = path.read_text(encoding="utf-8").split("\n---\n")[0]
    quick = parse_tree(text, str(path))
    monkeypatch.setattr(yamltree, "_Quick", yamltree._Loader)
    assert parse_tree(text, str(path)) == quick
    assert quick.problems == []
    assert quick.data


def test_what_libyaml_refuses_is_told_by_the_scanner_that_tells_more() -> None:
    tree = parse_tree("collect:\n  contact: a\n sources: []\n", "rasid.yaml")
    (problem,) = tree.problems
    assert (problem.line, tree.data) == (3, None)
    assert "expected <block end>, but found '<block mapping start>'" in problem.message
