"""Writes what this release leaves behind, for later ones to be tested with:

    uv run python -m tests.upgrades.make

tests/upgrades/VERSION/rasid.db.gz      a log in SQLite with a record of each kind
tests/upgrades/VERSION/kafka.jsonl      the same as they lie on a cluster: key, value, headers
tests/upgrades/VERSION/shape.json       what a reader of this release takes

Run it before a release, and never again for that version. The records are made from their
types, every field set, so that none is forgotten.
"""

import gzip
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from rasid import __version__
from streams.kafka_records import outgoing
from streams.kafka_topics import MANY
from streams.log import Transaction
from streams.moments import to_us
from streams.records import ARTICLES, BACKFILL, FLAGS, KINDS, TOPICS, VERSION, Record, encode
from streams.sqlite import SqliteLog
from streams.sqlite_file import FORMAT

HERE = Path(__file__).parent
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DUE = AT + timedelta(hours=1)
PARTITIONS = 12


def sample(kind: type[Record]) -> Record:
    """A record with every field set."""
    return msgspec.convert(_value(inspect.type_info(kind)), kind)


def records() -> Iterator[tuple[str, str, Record]]:
    """topic or table, key, record"""
    for name, kind in KINDS.items():
        for key in ("a.example/one", "b.example/اثنان"):
            yield name, key, sample(kind)


def shape() -> dict[str, Any]:
    """What a reader takes: the records, and the tables of the file."""
    _, components = msgspec.json.schema_components(KINDS.values())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rasid.db"
        write_log(path)
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name")
            tables = {name: sql for name, sql in rows if sql}
    return {"version": VERSION, "format": FORMAT, "records": components, "tables": tables}


def write_log(path: Path) -> None:
    """One record of each topic is read already by `process`; one waits."""
    with closing(SqliteLog(path, clock=lambda: AT)) as log:
        stage = log.stage("process", reads=(ARTICLES, BACKFILL, FLAGS))
        assert stage.acquire(1.0)
        tx = Transaction()
        for name, key, record in records():
            if name in TOPICS:
                tx.append(name, key, encode(record))
            else:
                tx.put(name, key, encode(record), due=DUE, partition_key=key.split("/")[0])
        stage.commit(tx)
        (read, *_) = stage.poll(1, 1.0)
        stage.commit(Transaction(), after=[read])
        stage.close()


def write_records() -> Iterator[str]:
    for name, key, record in records():
        is_row = name not in TOPICS
        at = key.split("/")[0] if is_row else key
        due = to_us(DUE) if is_row else None
        count = PARTITIONS if name in MANY else 1
        out = outgoing(name, count, key, encode(record), at, to_us(AT), due, is_row=is_row)
        assert out.value is not None
        line = {
            "topic": name, "partition": out.partition, "key": key, "value": out.value.decode(),
            "headers": [[name, value.decode()] for name, value in out.headers],
        }  # fmt: skip
        yield json.dumps(line, ensure_ascii=False)


def _value(info: inspect.Type) -> Any:
    match info:
        case inspect.StructType(fields=fields):
            return {field.encode_name: _field(field) for field in fields}
        case inspect.UnionType(types=types):
            return _value(next(t for t in types if not isinstance(t, inspect.NoneType)))
        case inspect.LiteralType(values=values):
            return values[-1]
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            return [_value(item)]
        case inspect.DictType(value_type=value):
            return {"مفتاح": _value(value)}
        case inspect.DateTimeType():
            return AT
        case inspect.DateType():
            return AT.date()
        case inspect.BoolType():
            return True
        case inspect.IntType():
            return 7
        case inspect.FloatType():
            return 0.5
        case inspect.StrType():
            return "نص"
    raise TypeError(f"no sample of {info}")


def _field(field: inspect.Field) -> Any:
    return VERSION if field.name == "v" else _value(field.type)


def main() -> None:
    folder = HERE / __version__
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "rasid.db"
        write_log(path)
        (folder / "rasid.db.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    (folder / "kafka.jsonl").write_text("\n".join(write_records()) + "\n", "utf-8")
    text = json.dumps(shape(), ensure_ascii=False, indent=1, sort_keys=True)
    (folder / "shape.json").write_text(text + "\n", "utf-8")
    print(f"{folder} written")  # noqa: T201


if __name__ == "__main__":
    main()
