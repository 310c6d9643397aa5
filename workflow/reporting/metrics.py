"""How a metric is printed: its digits, its unit and the direction that is better."""

from collections.abc import Iterable

from workflow.contracts import Metric

PERCENT = "%"


def number(metric: Metric, value: float, sign: bool = False) -> str:
    """A value with the metric's digits, with a sign if it is a change."""
    return f"{value:+z.{metric.digits}f}" if sign else f"{value:z.{metric.digits}f}"


def named(metric: Metric) -> str:
    """A metric with its unit, if that is not percent: `AP`, `latency (ms)`."""
    return metric.name if metric.unit in ("", PERCENT) else f"{metric.name} ({metric.unit})"


def heading(metric: Metric) -> str:
    """A metric with its unit and the direction that is better."""
    return f"{named(metric)} {'↓' if metric.better == 'lower' else '↑'}"


def percent(metrics: Iterable[Metric]) -> str:
    """That numbers are in percent, and which are not: `in percent (except latency)`."""
    others = dict.fromkeys(metric.name for metric in metrics if metric.unit != PERCENT)
    return f"in percent (except {', '.join(others)})" if others else "in percent"
