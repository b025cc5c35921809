"""Rasid's Grafana board, written down so that it can be reviewed:

    uv run python deploy/grafana/board.py        writes deploy/grafana/rasid.json

A test holds the file to this script, and runs every query on a real Prometheus that watches a
real daemon. First row: does it live, is anybody blind, how long from seen to sent. The kinds of
panels are in panels.py.
"""

from itertools import count
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import dashboard, table
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models
from panels import (
    RANGE,
    RATE,
    annotation,
    increase,
    lines,
    link,
    number,
    quantile,
    query,
    ranking,
    runbook,
    targets,
    variable,
)

FILE = Path(__file__).with_name("rasid.json")

# Sources silent for three times their longest gap of late and at least six hours, or without a
# successful poll for a day: as rules.yaml has it.
BLIND = (
    "count((time() - max by (source) (rasid_feed_last_new_timestamp_seconds)"
    " > clamp_min(3 * max by (source) (rasid_feed_longest_gap_seconds), 6 * 3600))"
    " or (time() - max by (source) (rasid_feed_last_success_timestamp_seconds) > 86400))"
    " or vector(0)"
)
OLDEST = (
    "time() - rasid_deliveries_oldest_pending_timestamp_seconds"
    " or on (receiver) 0 * rasid_deliveries_pending"
)


def sources() -> table.Panel:
    """A row a source, joined of instant queries by its id."""
    by = "by (source) "
    of = '{source=~"$source"}'
    panel = (
        table.Panel()
        .title("Sources, the longest silent first")
        .description(
            "Silence beside the longest gap between its latest entries; a source that is silent"
            " for three times that is taken for blind."
        )
        .span(16)
        .height(8)
        .unit("s")
        .with_transformation(models.DataTransformerConfig("merge", options={}))
        .with_transformation(
            models.DataTransformerConfig(
                "organize",
                options={
                    "excludeByName": {"Time": True},
                    "renameByName": {
                        "Value #A": "silent for",
                        "Value #B": "longest gap",
                        "Value #C": "last good poll",
                        "Value #D": "polled every",
                    },
                },
            )
        )
        .with_transformation(
            models.DataTransformerConfig(
                "sortBy", options={"sort": [{"field": "silent for", "desc": True}]}
            )
        )
        .links([runbook("source-silent")])
    )
    queries = (
        f"time() - max {by}(rasid_feed_last_new_timestamp_seconds{of})",
        f"max {by}(rasid_feed_longest_gap_seconds{of})",
        f"time() - max {by}(rasid_feed_last_success_timestamp_seconds{of})",
        f"min {by}(rasid_feed_interval_seconds{of})",
    )
    made = [query(expr, instant=True) for expr in queries]
    for each in made:
        each.format("table")
    return targets(panel, made)


def first_row() -> list[Any]:
    return [
        number(
            "Stages at work",
            "Of three: collect, process, alert. A standby on Kafka does not count.",
            "sum(max by (stage) (rasid_stage_ready)) or vector(0)",
            "short",
            "no-heartbeat",
            (None, "red"),
            (3, "green"),
        ),
        number(
            "Sources blind",
            "Silent beyond their own rhythm, or not answering for a day.",
            BLIND,
            "short",
            "source-silent",
            (None, "green"),
            (1, "orange"),
            (5, "red"),
        ),
        number(
            "Newest entry",
            "Since any feed last listed something new.",
            "time() - max(rasid_feed_last_new_timestamp_seconds)",
            "s",
            "no-new-articles",
            (None, "green"),
            (3600, "orange"),
            (7200, "red"),
        ),
        number(
            "Seen → sent, 95 of 100 within",
            "From an entry first seen to its alert taken, over the board's time.",
            quantile(0.95, "rasid_seen_to_sent_seconds", over=RANGE),
            "s",
            "slow",
            (None, "green"),
            (60, "orange"),
            (120, "red"),
        ),
        number(
            "Oldest message that waits",
            "Due to a receiver and not taken yet.",
            f"max({OLDEST})",
            "s",
            "deliveries-waiting",
            (None, "green"),
            (300, "orange"),
            (900, "red"),
        ),
        number(
            "Alert rules firing",
            "Of deploy/prometheus/rules.yaml.",
            'count(ALERTS{alertname=~"Rasid.*", alertstate="firing"}) or vector(0)',
            "short",
            "no-heartbeat",
            (None, "green"),
            (1, "red"),
        ),
    ]


def news() -> list[Any]:
    flags = 'rasid_flags_total{theme=~"$theme"}'
    country = 'rasid_flags_by_country_total{theme=~"$theme", country=~"$country"}'
    return [
        lines(
            "Flags by theme",
            "Developments found in articles.",
            (increase("theme", flags), "{{theme}}"),
            bars=True,
        ),
        lines(
            "Flags by country",
            "Where it happens; a flag of two countries counts in both.",
            (f"{increase('country', country)} > 0", "{{country}}"),
            bars=True,
        ),
        lines(
            "Flags by development",
            "What happened.",
            (f"{increase('theme, development', flags)} > 0", "{{theme}} {{development}}"),
            bars=True,
        ),
        ranking(
            "Developments",
            "Over the board's time.",
            f"topk(12, {increase('theme, development', flags, RANGE)} > 0)",
            "{{theme}} {{development}}",
        ),
        ranking(
            "Countries",
            "Over the board's time.",
            f"topk(12, {increase('country', country, RANGE)} > 0)",
            "{{country}}",
        ),
        ranking(
            "Rules that fired",
            "A rule that fires far more than yesterday may have learnt to fire at anything.",
            f"topk(12, {increase('rule', 'rasid_rules_fired_total', RANGE)} > 0)",
            "{{rule}}",
        ),
        lines(
            "Reports by decision",
            "What is told of, or why nothing is.",
            (f"{increase('decision', 'rasid_reports_total')} > 0", "{{decision}}"),
            bars=True,
            span=24,
        ),
    ]


def collecting() -> list[Any]:
    failures = 'rasid_feed_failures_total{source=~"$source"}'
    return [
        lines("Feeds", "By how they are.", ("sum by (state) (rasid_feeds)", "{{state}}"), span=6),
        lines(
            "Polls by outcome",
            "All of one failure: this machine's network, not the world's.",
            (f"{increase('outcome', 'rasid_polls_total')} > 0", "{{outcome}}"),
            bars=True,
            span=6,
            book="no-new-articles",
        ),
        lines(
            "Entries",
            "New, changed, or of no use.",
            (increase("kind", "rasid_entries_total"), "{{kind}}"),
            bars=True,
            span=6,
        ),
        lines(
            "Entries waiting",
            "For their page; one site is asked for one page at a time.",
            ("sum(rasid_entries_waiting)", "waiting"),
            span=6,
        ),
        sources(),
        ranking(
            "Failed polls by source",
            "With the reason, as counted since the daemon's start.",
            f"topk(12, sum by (source, reason) (max_over_time({failures}[{RANGE}])))",
            "{{source}} {{reason}}",
        ),
        lines(
            "Pages by outcome",
            "entry_text: the page gave nothing, the feed's own words were used.",
            (f"{increase('outcome', 'rasid_pages_total')} > 0", "{{outcome}}"),
            bars=True,
            span=12,
            book="extraction-falling-back",
        ),
        lines(
            "Page failures by reason",
            "Tries that gave no article.",
            (f"{increase('reason', 'rasid_page_failures_total')} > 0", "{{reason}}"),
            bars=True,
            span=12,
            book="extraction-falling-back",
        ),
    ]


def stages() -> list[Any]:
    return [
        lines(
            "Records in",
            "Consumed and committed; of process and alert with the canary's.",
            (increase("stage", "rasid_records_in_total"), "{{stage}}"),
            span=6,
        ),
        lines(
            "Records out",
            "Written to a topic; of process and alert with the canary's.",
            (increase("stage", "rasid_records_out_total"), "{{stage}}"),
            span=6,
        ),
        lines(
            "Failed, retried, dead",
            "Dead letters wait to be replayed or dropped.",
            (increase("stage", "rasid_records_failed_total"), "{{stage}} failed"),
            (increase("stage", "rasid_records_retried_total"), "{{stage}} retried"),
            (increase("stage", "rasid_records_dead_total"), "{{stage}} dead"),
            span=6,
            book="dead-letters",
        ),
        lines(
            "Lag",
            "Records still to be read; those of a backfill wait by design.",
            ("max by (stage) (rasid_lag_records)", "{{stage}}"),
            ("max by (stage) (rasid_backfill_lag_records)", "{{stage}}, of a backfill"),
            span=6,
            book="lag",
        ),
        lines(
            "Time for a batch, 95 of 100 within",
            "From having it in hand to its commit; collect: a page.",
            (quantile(0.95, "rasid_stage_seconds", "stage"), "{{stage}}"),
            unit="s",
            span=12,
        ),
        lines(
            "Since a stage last came round",
            "Grows where a thread hangs.",
            ("time() - max by (stage) (rasid_stage_heartbeat_timestamp_seconds)", "{{stage}}"),
            unit="s",
            span=12,
            book="no-heartbeat",
        ),
    ]


def deliveries() -> list[Any]:
    return [
        lines(
            "Messages by receiver",
            "What became of them.",
            (
                f"{increase('receiver, outcome', 'rasid_alerts_total')} > 0",
                "{{receiver}} {{outcome}}",
            ),
            bars=True,
            book="deliveries-failing",
        ),
        lines(
            "Pending",
            "Due and not taken.",
            ("sum by (receiver) (rasid_deliveries_pending)", "{{receiver}}"),
            book="deliveries-waiting",
        ),
        lines(
            "Oldest that waits",
            "Since it was queued.",
            (f"max by (receiver) ({OLDEST})", "{{receiver}}"),
            unit="s",
            book="deliveries-waiting",
        ),
        lines(
            "Seen → sent",
            "Rasid's own time, from an entry first seen to its alert taken.",
            *(
                (quantile(q, "rasid_seen_to_sent_seconds"), name)
                for q, name in ((0.5, "50 of 100"), (0.95, "95 of 100"), (0.99, "99 of 100"))
            ),
            unit="s",
            book="slow",
        ),
        lines(
            "The canary's road",
            "From its publication to its message taken, where it is switched on (docs/canary.md).",
            ("max(rasid_canary_road_seconds)", "road"),
            ("time() - max(rasid_canary_last_arrived_timestamp_seconds)", "since the last"),
            unit="s",
            book="canary-lost",
        ),
        lines(
            "Held",
            "Not sent when due, by what held them.",
            (increase("reason", "rasid_alerts_held_total"), "{{reason}}"),
            bars=True,
        ),
    ]


def resources() -> list[Any]:
    return [
        lines(
            "CPU",
            "Of the daemon, without the processes that parse; 1 is a core.",
            (f"rate(rasid_process_cpu_seconds_total[{RATE}])", "{{instance}}"),
            span=6,
        ),
        lines(
            "Memory",
            "Resident, of the daemon without the processes that parse.",
            ("rasid_process_resident_memory_bytes", "{{instance}}"),
            unit="bytes",
            span=6,
        ),
        lines(
            "Log and disk",
            "The SQLite file, and what is left on its disk.",
            ("rasid_log_file_bytes", "log"),
            ("rasid_log_disk_free_bytes", "free"),
            unit="bytes",
            span=6,
            book="disk",
        ),
        lines(
            "Open files",
            "Of those allowed.",
            ("rasid_process_open_fds", "open"),
            ("rasid_process_max_fds", "allowed"),
            span=6,
        ),
        lines(
            "Time since start",
            "And the version that runs.",
            (
                "(time() - rasid_process_start_time_seconds)"
                " * on (instance) group_left (version) rasid_build_info",
                "{{instance}} {{version}}",
            ),
            unit="s",
            span=24,
        ),
    ]


def board() -> dashboard.Dashboard:
    made = (
        dashboard.Dashboard("Rasid")
        .uid("rasid")
        .description("Does it live, is anybody blind, how long from seen to sent.")
        .tags(["rasid"])
        .timezone("browser")
        .time("now-6h", "now")
        .refresh("30s")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data").type("prometheus"))
        .with_variable(variable("theme", "Theme", "rasid_flags_total"))
        .with_variable(variable("country", "Country", "rasid_flags_by_country_total"))
        .with_variable(variable("source", "Source", "rasid_feed_interval_seconds"))
        .with_variable(
            dashboard.TextBoxVariable("rasid")
            .label("Rasid answers at")
            .default_value("http://127.0.0.1:9464")
        )
        .annotation(
            annotation("Restart", "changes(rasid_process_start_time_seconds[2m]) > 0", "red")
        )
        .annotation(annotation("Reload", "increase(rasid_reloads_total[2m]) > 0", "blue"))
        .link(link("Stories", "/stories.atom"))
        .link(link("Runbooks", "/runbooks"))
    )
    ids = count(1)
    for panel in first_row():
        made.with_panel(panel.id(next(ids)))
    for title, panels in (
        ("News", news()),
        ("Sources", collecting()),
        ("Stages", stages()),
        ("Deliveries", deliveries()),
        ("Resources", resources()),
    ):
        made.with_row(dashboard.Row(title).id(next(ids)))
        for panel in panels:
            made.with_panel(panel.id(next(ids)))
    return made


def render() -> str:
    """The board's file, whole."""
    return JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(board().build()) + "\n"


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
