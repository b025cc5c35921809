"""The kinds of panels, queries and marks that the board is made of."""

from collections.abc import Iterable
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    timeseries,
)
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
RATE, RANGE = "$__rate_interval", "$__range"


def increase(by: str, series: str, over: str = RATE) -> str:
    return f"sum by ({by}) (increase({series}[{over}]))"


def quantile(q: float, series: str, by: str = "", over: str = RATE) -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({q}, sum by ({labels}) (rate({series}_bucket[{over}])))"


def query(expr: str, legend: str = "", *, instant: bool = False) -> prometheus.Dataquery:
    made = prometheus.Dataquery().datasource(SOURCE).expr(expr).legend_format(legend or "__auto")
    return made.instant() if instant else made.range()


def steps(*levels: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value, color) for value, color in levels])
    )


def runbook(name: str) -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink(f"What to do: {name}")
        .type(models.DashboardLinkType.LINK)
        .url(f"${{rasid}}/runbooks/{name}")
        .target_blank(True)
    )


def targets(panel: Any, queries: Iterable[prometheus.Dataquery]) -> Any:
    for number, each in enumerate(queries):
        panel.with_target(each.ref_id("ABCDEFGH"[number]))
    return panel.datasource(SOURCE)


def number(
    title: str, about: str, expr: str, unit: str, book: str, *levels: tuple[float | None, str]
) -> stat.Panel:
    panel = (
        stat.Panel()
        .title(title)
        .description(about)
        .unit(unit)
        .thresholds(steps(*levels))
        .color_mode(common_models.BigValueColorMode.BACKGROUND)
        .links([runbook(book)])
        .span(4)
        .height(4)
    )
    return targets(panel, [query(expr, instant=True)])


def lines(
    title: str,
    about: str,
    *queries: tuple[str, str],
    unit: str = "short",
    span: int = 8,
    bars: bool = False,
    book: str = "",
) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(title)
        .description(about)
        .unit(unit)
        .span(span)
        .height(7)
        .min(0)
        .fill_opacity(60 if bars else 8)
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .placement(common_models.LegendPlacement.BOTTOM)
            .display_mode(common_models.LegendDisplayMode.LIST)
        )
    )
    if bars:
        panel.draw_style(common_models.GraphDrawStyle.BARS)
        panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
    if book:
        panel.links([runbook(book)])
    return targets(panel, [query(expr, legend) for expr, legend in queries])


def ranking(title: str, about: str, expr: str, legend: str, span: int = 8) -> bargauge.Panel:
    """The largest over the board's time."""
    panel = (
        bargauge.Panel()
        .title(title)
        .description(about)
        .unit("short")
        .decimals(0)
        .min(0)
        .orientation(common_models.VizOrientation.HORIZONTAL)
        .thresholds(steps((None, "blue")))
        .span(span)
        .height(8)
    )
    return targets(panel, [query(expr, legend, instant=True)])


def variable(name: str, label: str, series: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .query(f"label_values({series}, {name})")
        .datasource(SOURCE)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(models.VariableOption(text="All", value="$__all", selected=True))
    )


def annotation(name: str, expr: str, color: str) -> dashboard.AnnotationQuery:
    made = dashboard.AnnotationQuery()
    return made.name(name).datasource(SOURCE).enable(True).icon_color(color).expr(expr)


def link(title: str, path: str) -> dashboard.DashboardLink:
    made = dashboard.DashboardLink(title).type(models.DashboardLinkType.LINK)
    return made.url(f"${{rasid}}{path}").target_blank(True)
