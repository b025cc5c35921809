"""`rasid config check`, `rasid init`."""

from pathlib import Path
from typing import Annotated

import typer

from rasid.cli.common import JsonOption, fail, print_json

app = typer.Typer(help="Check the configuration.", no_args_is_help=True)


@app.callback()
def _group() -> None: ...


@app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="The file; rasid.yaml here unless given.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="FILE", help="The same.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a configuration and tell all its problems at once, with line and key.

    Exit code 1 when there is one. Secrets are never shown.
    """
    from rasid import configfile
    from rasid.options import receivers, sources
    from rasid.yamltree import read_tree

    path = file or config or configfile.DEFAULT_FILE
    checked, problems = configfile.check(read_tree(path))
    if as_json:
        print_json(
            {
                "file": str(path),
                "ok": checked is not None,
                "problems": [
                    {"line": p.line, "key": p.key, "message": p.message} for p in problems
                ],
            }
        )
        raise typer.Exit(0 if checked else 1)
    if checked is None:
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        fail("\n".join([*(str(p) for p in problems), f"{path}: {count}"]))
    feeds = sum(len(s.feeds) for s in sources(checked))
    typer.echo(
        f"{path}: good ({len(sources(checked))} sources, {feeds} feeds, "
        f"{len(receivers(checked))} receivers)"
    )


def init(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("rasid.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace the file that is there.")] = False,
) -> None:
    """Write a commented configuration to start from."""
    text = (Path(__file__).parent.parent / "starting.yaml").read_text(encoding="utf-8")
    try:
        with file.open("w" if force else "x", encoding="utf-8") as out:
            out.write(text.replace("/var/lib/rasid", str(Path.cwd())))
    except FileExistsError:
        fail(f"{file} is there already; --force replaces it")
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}")
    typer.echo(f"{file} written. Next: rasid config check {file}, then rasid run --config {file}")
