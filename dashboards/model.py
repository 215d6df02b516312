"""Dashboards as values: what a panel asks, how it is drawn and when it is a reason to act. `grafana.py` writes them as JSON."""

import dataclasses

import catalogue

PLAIN = "green"
UNKNOWN = "purple"  # never green: what is not known is not fine


@dataclasses.dataclass(frozen=True)
class Steps:
    """Colors of values: `base` below the first of (from value, color)."""

    base: str
    above: tuple


@dataclasses.dataclass(frozen=True)
class Query:
    """One expression. Selectors of it get the variables of the dashboard when it is rendered (`expressions.py`)."""

    expr: str
    legend: str = ""  # of a table: the title of its column
    unit: str | None = None  # another one than that of the panel
    steps: Steps | None = None  # of a column
    mappings: tuple = ()
    empty: str | None = None  # why it may answer nothing although all is well


@dataclasses.dataclass(frozen=True)
class Panel:
    title: str
    kind: str  # of Grafana: stat, timeseries, table, state-timeline, heatmap, text
    description: str
    queries: tuple[Query, ...]
    unit: str
    width: int = 8  # of 24
    height: int = 8
    steps: Steps | None = None
    mappings: tuple = ()  # (value, text, color)
    unknown: str = "no data"
    alerts: tuple[str, ...] = ()  # whose thresholds or states it shows; each becomes a link to its runbook
    within: tuple[str, ...] | None = None  # variables that narrow it besides those of the set; None: as the dashboard says
    stacked: bool = False
    bars: bool = False
    decimals: int | None = None
    band: tuple[str, str] | None = None  # legends of two lines with the space between them filled
    dashed: tuple[str, ...] = ()  # beginnings of legends that are targets, not measurements
    hidden: tuple[str, ...] = ()  # titles of columns that only bring their labels
    links: tuple = ()  # (column, title, url)
    empty: str | None = None


@dataclasses.dataclass(frozen=True)
class Row:
    title: str
    panels: tuple[Panel, ...]


@dataclasses.dataclass(frozen=True)
class Annotation:
    """A mark on the time axis: `expr` answers with the moment in milliseconds, or with 1 while something lasts."""

    name: str
    expr: str
    color: str
    title: str
    tags: str
    at_value: bool = True
    shown: bool = True
    within: tuple[str, ...] = ()
    empty: str | None = None


@dataclasses.dataclass(frozen=True)
class Variable:
    name: str
    label: str
    series: str  # a selector; the values of `name` in it are the choices
    # What `All` stands for. None: everything in the list, so that variables further left narrow it.
    every: str | None = ".*"
    empty: str | None = None


@dataclasses.dataclass(frozen=True)
class Dashboard:
    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...]
    annotations: tuple[Annotation, ...] = ()
    since: str = "now-3h"
    within: tuple[str, ...] = ()

    def panels(self):
        return [panel for row in self.rows for panel in row.panels]


# No value is a reason to act: only what a mapping says has a color.
NEUTRAL = Steps("", ())


def rising(orange=None, red=None):
    """Bad from a value upwards."""
    return Steps(PLAIN, tuple((float(at), color) for at, color in ((orange, "orange"), (red, "red")) if at is not None))


def falling(orange=None, red=None):
    """Bad below a value."""
    if red is None:
        return Steps("orange", ((float(orange), PLAIN),))
    if orange is None:
        return Steps("red", ((float(red), PLAIN),))
    return Steps("red", ((float(red), "orange"), (float(orange), PLAIN)))


def limit(name):
    return catalogue.limit(name)


def asked(queries):
    """Queries as sources write them: an expression, (expression, legend) or Query."""
    if isinstance(queries, str):
        return (Query(queries),)
    return tuple(Query(*query) if isinstance(query, tuple) else query for query in queries)


def stat(title, description, expr, unit="short", **how):
    return Panel(title, "stat", description, asked(expr), unit, **{"width": 4, "height": 4, **how})


def graph(title, description, queries, unit="short", **how):
    return Panel(title, "timeseries", description, asked(queries), unit, **how)


def table(title, description, columns, unit="short", **how):
    queries = tuple(dataclasses.replace(asked(query)[0] if isinstance(query, str) else query, legend=name) for name, query in columns.items())
    return Panel(title, "table", description, queries, unit, **{"width": 24, **how})


def states(title, description, queries, mappings=(), **how):
    return Panel(title, "state-timeline", description, asked(queries), **{"unit": "short", "width": 24, "mappings": mappings, **how})


def heatmap(title, description, expr, unit, **how):
    return Panel(title, "heatmap", description, asked(expr), unit, **how)

