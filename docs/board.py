"""Draws docs/board.png, the Grafana board's layout with the data of a played scenario:

    uv run python docs/board.py        needs Debian's prometheus and chromium; half a minute

The layout, queries, units and thresholds are those of deploy/grafana/rasid.json, the data those
of the daemon that tests/fakes/watched.py runs; the drawing is this script's, not Grafana's.
"""

import json
import math
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.fakes.watched import Prometheus, watched  # noqa: E402

BOARD = json.loads((ROOT / "deploy" / "grafana" / "rasid.json").read_text(encoding="utf-8"))
COLUMN, ROW = 58, 28  # px
WIDTH = 24 * COLUMN
COLORS = (
    "#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#a5d6a7",
    "#e0b400", "#37872d", "#fade2a", "#8f3bb8",
)  # fmt: skip
THRESHOLDS = {"green": "#37872d", "orange": "#c26b0a", "red": "#b3202f", "blue": "#5794f2"}
MARKS = {"red": "#f2495c", "blue": "#8ab8ff"}
STYLE = f"""
body {{ margin: 0; background: #111217; color: #ccccdc; font: 12px "DejaVu Sans", sans-serif; }}
.board {{ position: relative; width: {WIDTH}px; }}
.panel {{ position: absolute; box-sizing: border-box; padding: 6px 8px; overflow: hidden;
  background: #181b1f; border: 1px solid #2c3235; border-radius: 2px; }}
.row {{ position: absolute; font-weight: bold; padding: 6px 2px; }}
h2 {{ font-size: 12px; margin: 0 0 4px; font-weight: bold; }}
.stat {{ color: #fff; }} .stat b {{ font-size: 34px; display: block; padding-top: 14px; }}
.legend {{ white-space: nowrap; font-size: 10px; }} i {{ font-style: normal; }}
.bar {{ display: flex; gap: 6px; height: 13px; margin: 1.5px 0; font-size: 10px; }}
.bar span {{ width: 48%; text-align: right; white-space: nowrap; overflow: hidden; }}
.bar em {{ background: #5794f2; height: 11px; }}
td, th {{ text-align: left; padding: 1px 18px 1px 0; font-size: 11px; }}
text {{ fill: #8e8e9a; font-size: 9px; }}
"""


def shown(value: float, unit: str) -> str:
    if math.isnan(value):
        return "–"
    if unit == "s":
        for size, name in ((86400, "days"), (3600, "h"), (60, "min")):
            if abs(value) >= size:
                return f"{value / size:.1f} {name}"
        return f"{value:.1f} s" if value >= 1 else f"{value * 1000:.0f} ms"
    if unit == "bytes":
        for size, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
            if value >= size:
                return f"{value / size:.1f} {name}"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2g}"


def name(target: dict[str, Any], metric: dict[str, str]) -> str:
    legend = target.get("legendFormat", "__auto")
    if legend == "__auto":
        return ", ".join(f"{k}={v}" for k, v in metric.items() if k != "__name__")
    for label, value in metric.items():
        legend = legend.replace("{{" + label + "}}", value)
    return str(legend)


def stat(panel: dict[str, Any], api: Prometheus) -> tuple[str, str]:
    defaults = panel["fieldConfig"]["defaults"]
    value = api.value(panel["targets"][0]["expr"])
    steps = defaults["thresholds"]["steps"]
    color = [s["color"] for s in steps if s["value"] is None or value >= s["value"]][-1]
    return f"<b>{shown(value, defaults.get('unit', ''))}</b>", THRESHOLDS[color]


def ranking(panel: dict[str, Any], api: Prometheus) -> str:
    target = panel["targets"][0]
    rows = [(name(target, s["metric"]), float(s["value"][1])) for s in api.instant(target["expr"])]
    rows.sort(key=lambda row: -row[1])
    most = max(value for _, value in rows)
    return "".join(
        f'<div class="bar"><span>{escape(label)}</span>'
        f'<em style="width:{42 * value / most:.0f}%"></em><i>{value:.0f}</i></div>'
        for label, value in rows
    )


def table(panel: dict[str, Any], api: Prometheus) -> str:
    names = panel["transformations"][1]["options"]["renameByName"]
    columns: list[dict[str, float]] = []
    for target in panel["targets"]:
        answer = api.instant(target["expr"])
        columns.append({s["metric"]["source"]: float(s["value"][1]) for s in answer})
    sources = sorted({s for c in columns for s in c}, key=lambda s: -columns[0].get(s, 0))
    heads = ["source", *(names[f"Value #{t['refId']}"] for t in panel["targets"])]
    rows = [[escape(s), *(shown(c[s], "s") if s in c else "" for c in columns)] for s in sources]
    return (
        "<table><tr>" + "".join(f"<th>{h}</th>" for h in heads) + "</tr>"
        + "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
        + "</table>"
    )  # fmt: skip


def runs(points: list[tuple[float, float]]) -> Iterable[list[tuple[float, float]]]:
    """The points, parted where the daemon was not there."""
    run: list[tuple[float, float]] = []
    for point in points:
        if run and point[0] - run[-1][0] > 1.5:
            yield run
            run = []
        run.append(point)
    yield run


def lines(panel: dict[str, Any], api: Prometheus, marks: list[tuple[float, str]]) -> str:
    unit = panel["fieldConfig"]["defaults"].get("unit", "")
    bars = panel["fieldConfig"]["defaults"]["custom"].get("drawStyle") == "bars"
    series = [
        (name(target, one["metric"]), [(float(t), float(v)) for t, v in one["values"]])
        for target in panel["targets"]
        for one in api.range(target["expr"], 1.0 if bars else 0.5)
    ]
    width, height = panel["gridPos"]["w"] * COLUMN - 20, panel["gridPos"]["h"] * ROW - 52
    left = 46
    span = api.ended - api.began
    tick = next(t for t in (5, 10, 20, 60, 300) if span / t * 34 < width - left)
    stacked: dict[float, float] = {}
    tops: list[float] = [1.0 if unit == "short" else 1e-9]
    for _, points in series:
        for at, value in points:
            if not math.isnan(value):
                stacked[at] = stacked.get(at, 0.0) + value
                tops.append(stacked[at] if bars else value)
    top = max(tops) * 1.08

    def x(at: float) -> float:
        return left + (width - left - 4) * (at - api.began) / span

    def y(value: float) -> float:
        return 4 + (height - 16) * (1 - value / top)

    drawn = [
        f'<line x1="{left}" x2="{width}" y1="{y(v):.1f}" y2="{y(v):.1f}" stroke="#2c3235"/>'
        f'<text x="{left - 4}" y="{y(v) + 3:.1f}" text-anchor="end">{shown(v, unit)}</text>'
        for v in (0.0, top / 2, top)
    ]
    drawn += [
        f'<text x="{x(api.began + s):.0f}" y="{height - 1}" text-anchor="middle">{s} s</text>'
        for s in range(tick, int(span), tick)
    ]
    drawn += [
        f'<line x1="{x(at):.1f}" x2="{x(at):.1f}" y1="4" y2="{height - 12}" stroke="{color}"'
        ' stroke-dasharray="3"/>'
        for at, color in marks
    ]
    floor: dict[float, float] = {}
    for number, (_, points) in enumerate(series):
        color = COLORS[number % len(COLORS)]
        if bars:
            for at, value in points:
                if value > 0:
                    under = floor.get(at, 0.0)
                    floor[at] = under + value
                    tall = y(under) - y(under + value)
                    drawn.append(
                        f'<rect x="{x(at) - 5:.1f}" y="{y(under + value):.1f}" width="9"'
                        f' height="{tall:.1f}" fill="{color}" opacity=".8"/>'
                    )
        else:
            for run in runs([(a, v) for a, v in points if not math.isnan(v)]):
                path = " ".join(f"{x(a):.1f},{y(v):.1f}" for a, v in run)
                drawn.append(
                    f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.4"/>'
                )
    legend = " &nbsp; ".join(
        f'<i style="color:{COLORS[n % len(COLORS)]}">▬</i> {escape(label)}'
        for n, (label, _) in enumerate(series)
    )
    svg = f'<svg width="{width}" height="{height}">{"".join(drawn)}</svg>'
    return f'{svg}<div class="legend">{legend}</div>'


def page(api: Prometheus) -> str:
    marks = [
        (float(one["values"][0][0]), MARKS[annotation["iconColor"]])
        for annotation in BOARD["annotations"]["list"]
        for one in api.range(annotation["expr"])
    ]
    parts: list[str] = []
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        place = (
            f"left:{at['x'] * COLUMN}px;top:{at['y'] * ROW}px;"
            f"width:{at['w'] * COLUMN - 6}px;height:{at['h'] * ROW - 6}px"
        )
        title = escape(panel["title"])
        if panel["type"] == "row":
            parts.append(f'<div class="row" style="{place}">▾ {title}</div>')
            continue
        kind, color = "", ""
        if panel["type"] == "stat":
            inner, background = stat(panel, api)
            kind, color = " stat", f";background:{background}"
        elif panel["type"] == "bargauge":
            inner = ranking(panel, api)
        elif panel["type"] == "table":
            inner = table(panel, api)
        else:
            inner = lines(panel, api, marks)
        parts.append(
            f'<div class="panel{kind}" style="{place}{color}"><h2>{title}</h2>{inner}</div>'
        )
    head = f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style>'
    return f'{head}<div class="board">{"".join(parts)}</div>'


def height(panels: Iterable[dict[str, Any]]) -> int:
    return int(max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in panels)) * ROW + 4


def draw(target: Path) -> None:
    prometheus, chromium = shutil.which("prometheus"), shutil.which("chromium")
    if prometheus is None or chromium is None:
        raise SystemExit("needs prometheus and chromium: apt-get install prometheus chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name_:
        folder = Path(name_)
        with watched(folder, prometheus) as api:
            (folder / "board.html").write_text(page(api), encoding="utf-8")
        subprocess.run(  # noqa: S603
            [
                chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                f"--window-size={WIDTH},{height(BOARD['panels'])}", f"--screenshot={target}",
                f"file://{folder}/board.html",
            ],
            check=True, capture_output=True,
        )  # fmt: skip


if __name__ == "__main__":
    draw(ROOT / "docs" / "board.png")
