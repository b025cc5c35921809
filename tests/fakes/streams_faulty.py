"""A stage that fails as it is told to, over a real one."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from streams.log import Message, Row, Stage, Transaction


class FaultyStage:
    """Raises the errors listed for a call, one at each, then lets the calls through."""

    def __init__(self, stage: Stage, **errors: list[Exception]) -> None:
        self.name = stage.name
        self.calls: list[str] = []
        self._stage = stage
        self._errors = errors

    def _fail(self, call: str) -> None:
        self.calls.append(call)
        if waiting := self._errors.get(call):
            raise waiting.pop(0)

    def acquire(self, timeout_s: float) -> bool:
        self._fail("acquire")
        return self._stage.acquire(timeout_s)

    def poll(self, max_records: int, timeout_s: float) -> Sequence[Message]:
        self._fail("poll")
        return self._stage.poll(max_records, timeout_s)

    def rewind(self) -> None:
        self._stage.rewind()

    def commit(self, tx: Transaction, after: Iterable[Message] = ()) -> None:
        self._fail("commit")
        self._stage.commit(tx, after)

    def owns(self, partition_key: str) -> bool:
        return self._stage.owns(partition_key)

    def get(self, table: str, key: str) -> Row | None:
        return self._stage.get(table, key)

    def scan(self, table: str, prefix: str = "") -> Iterator[Row]:
        return self._stage.scan(table, prefix)

    def due(self, table: str, until: datetime, limit: int) -> Sequence[Row]:
        return self._stage.due(table, until, limit)

    def next_due(self, table: str) -> datetime | None:
        return self._stage.next_due(table)

    def close(self) -> None:
        self.calls.append("close")
        self._stage.close()
