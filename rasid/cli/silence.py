"""`rasid silence`: tell nobody of something for a time, with a name and a reason."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from rasid.cli.common import (
    ConfigOption,
    JsonOption,
    fail,
    load_config,
    open_configured_log,
    print_json,
)
from rasid.cli.stories import the_story

if TYPE_CHECKING:
    from rasid.config import Config
    from streams.records import Silence

app = typer.Typer(help="Silences: what is told to nobody for a time.", no_args_is_help=True)

KEYS = ("theme", "development", "status", "country", "place", "actor", "source", "language")


@app.command()
def add(
    author: Annotated[str, typer.Option(help="Who silences it.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    matches: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]…", help=f"As country=LY; keys: {', '.join(KEYS)}."),
    ] = None,
    duration: Annotated[
        str, typer.Option("--for", metavar="DURATION", help="How long, as 2h.")
    ] = "2h",
    story: Annotated[
        str | None, typer.Option(help="This story only: its id, or its beginning.")
    ] = None,
    receiver: Annotated[str | None, typer.Option(help="For this receiver only.")] = None,
    config: ConfigOption = None,
) -> None:
    """Silence what meets all KEY=VALUE given (of one key, any). Holds within two seconds."""
    from alerts.silences import silence_id, write_silence
    from rasid.app import now
    from rasid.config import parse_duration
    from streams.records import Silence

    match: dict[str, tuple[str, ...]] = {}
    for each in matches or []:
        key, sign, value = each.partition("=")
        if not sign or key not in KEYS or not value:
            fail(f"{each!r} is no KEY=VALUE; keys are {', '.join(KEYS)}", 2)
        match[key] = (*match.get(key, ()), value)
    _check(match, receiver, load_config(config))
    if not match and story is None and receiver is None:
        fail("name what to silence: KEY=VALUE, --story or --receiver", 2)
    try:
        ends = now() + timedelta(seconds=parse_duration(duration))
    except ValueError as error:
        fail(f"--for {duration!r} {error}", 2)
    if ends <= now():
        fail(f"--for {duration!r} ends at once", 2)
    log = open_configured_log(config)
    silence = Silence(
        id=silence_id(author, reason, now().isoformat()),
        author=author,
        reason=reason,
        created=now(),
        ends=ends,
        match=match,
        story=the_story(log, story).id if story else None,
        receiver=receiver,
    )
    if not write_silence(log, silence):
        fail("another command writes silences just now; try again")
    typer.echo(silence.id)


@app.command("list")
def list_silences(
    everything: Annotated[bool, typer.Option("--all", help="Also those that ended.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List silences that hold, with who, why and until when."""
    from alerts.silences import read_silences
    from rasid.app import now

    found = [s for s in read_silences(open_configured_log(config)) if everything or s.ends > now()]
    if as_json:
        import msgspec

        print_json([msgspec.to_builtins(silence) for silence in found])
        return
    for silence in found:
        typer.echo(f"{silence.id}  until {silence.ends:%Y-%m-%d %H:%M} UTC  {_about(silence)}")
        typer.echo(f"          {silence.author}: {silence.reason}")


@app.command()
def expire(
    wanted: Annotated[str, typer.Argument(metavar="ID", help="As `silence list` names it.")],
    config: ConfigOption = None,
) -> None:
    """End a silence now."""
    import msgspec

    from alerts.silences import read_silences, write_silence

    log = open_configured_log(config)
    silence = next((s for s in read_silences(log) if s.id == wanted), None)
    if silence is None:
        fail(f"there is no silence {wanted!r}; `rasid silence list` names them")
    ended = msgspec.structs.replace(silence, ends=min(silence.ends, datetime.now(UTC)))
    if not write_silence(log, ended):
        fail("another command writes silences just now; try again")


def _check(match: dict[str, tuple[str, ...]], receiver: str | None, config: "Config") -> None:
    """A silence of what there is not would hold nothing, and nobody would know."""
    import re

    from collectors.catalogue import load_catalogue
    from rasid.configfile import did_you_mean, match_words
    from rasid.options import receivers, sources

    ids = [*load_catalogue(), *(source.id for source in sources(config))]
    words = match_words(ids, own_rules=bool(config.rules))
    for key, values in match.items():
        known, pattern, what = words.get(key, ([], ".*", ""))
        for value in values:
            if not (re.fullmatch(pattern, value) if pattern else value in known):
                fail(f"{key}={value}: {value!r} is no {what}{did_you_mean(value, known)}", 2)
    names = [each.name for each in receivers(config)]
    if receiver is not None and receiver not in names:
        fail(f"no receiver is named {receiver!r}{did_you_mean(receiver, names)}", 2)


def _about(silence: "Silence") -> str:
    parts = [f"{key}={value}" for key, values in silence.match.items() for value in values]
    parts += [f"story={silence.story}"] if silence.story else []
    parts += [f"receiver={silence.receiver}"] if silence.receiver else []
    return " ".join(parts)
