"""Articles of labelled events are joined as people would join them.

`events.jsonl` was written before the decider was tuned, by someone who had not seen it. The
floors stand a little under what benchmarks/stories.py measures.
"""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent


def _benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "benchmarks_stories", HERE.parents[1] / "benchmarks" / "stories.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_labelled_events_become_stories() -> None:
    benchmark = _benchmark()
    lines = (HERE / "events.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    made = benchmark.reports(rows)
    flagged = [(row, report) for row, report in zip(rows, made, strict=True) if report.flags]
    found = benchmark.quality(*map(list, zip(*flagged, strict=True)))
    assert found.precision >= 0.82
    assert found.f1 >= 0.73
