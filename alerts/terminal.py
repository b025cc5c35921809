"""Alerts on standard output, for whoever watches the daemon run.

Arabic is written as it is, isolated: shaping and direction are the terminal's."""

import sys
from typing import TextIO

from rich.console import Console
from rich.text import Text

from alerts.channel import Receipt
from alerts.errors import SendError
from alerts.render import PLAIN, Manner, Message, message
from alerts.sanitize import isolate
from streams.records import Delivery


class TerminalChannel:
    def __init__(self, out: TextIO | None = None, manner: Manner = PLAIN) -> None:
        self._manner = manner
        self._out = out

    def send(self, delivery: Delivery) -> Receipt:
        out = self._out or sys.stdout
        console = Console(
            file=out, highlight=False, markup=False, emoji=False, soft_wrap=True, stderr=False
        )
        text = terminal_text(message(delivery.alert, self._manner))
        try:
            with console.capture() as captured:
                console.print(text)
            written = captured.get()
            encoding = getattr(out, "encoding", None) or "utf-8"
            out.write(written.encode(encoding, "replace").decode(encoding))
            out.flush()
        except (OSError, ValueError) as error:  # a closed pipe, a closed file
            raise SendError(
                f"standard output is closed: {type(error).__name__}",
                reason="unavailable",
                retryable=True,
            ) from error
        return Receipt()

    def idle(self) -> None:
        """Nothing is held."""


def terminal_text(shown: Message) -> Text:
    """A few lines: what happened, the headline, the evidence, the source, the address."""
    text = Text()
    text.append("● ", style="bold red")
    text.append(shown.summary, style="bold")
    for entry in shown.entries:
        told = [entry.summary, isolate(entry.headline), isolate(entry.source)]
        told += [entry.tellers, entry.why]
        text.append("\n  " + " · ".join(part for part in told if part))
        text.append(f"\n    {entry.id} {entry.href or ''}", style="dim")
    if shown.entries:
        text.append(f"\n  +{shown.more}\n" if shown.more else "\n")
        return text
    for line in shown.news:
        text.append(f"\n  {isolate(line)}", style="yellow")
    text.append(f"\n  {isolate(shown.headline)}", style="bold cyan")
    for item in shown.items:
        if item.quote and item.quote != shown.headline:
            text.append(f"\n  {isolate('«' + item.quote + '»')}")
        details = [isolate(item.speaker), item.places, item.quantities]
        if any(details):
            text.append("\n  " + " · ".join(part for part in details if part))
        if item.when:
            text.append(f"\n  {shown.say('وقت وقوعه كما رُوي', 'Happened, as told')}: {item.when}")
    if shown.more:
        text.append(f"\n  +{shown.more}")
    if shown.outlets:
        text.append(f"\n  {shown.outlets}", style="dim")
    score = f"{shown.score}%" if shown.items else ""
    foot = (isolate(shown.source), shown.dated, score, shown.id)
    text.append(f"\n  {' · '.join(filter(None, foot))}", style="dim")
    text.append(f"\n  {shown.href or isolate(shown.address)}\n", style="dim")
    return text
