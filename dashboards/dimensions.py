"""What an expression yields: seconds, bytes, a moment, a number, or one of them per second. For tests of units."""

import dataclasses

import catalogue
import promql

# Units of Grafana that show such a value.
UNITS = {
    "seconds": {"s"}, "bytes": {"bytes"}, "bytes/seconds": {"Bps"}, "": {"short", "none", "percentunit", "bool"},
    "1/seconds": {"ops", "reqps", "cps"}, "moment in ms": {"dateTimeAsIso"},
}
SAME = {"abs", "ceil", "floor", "clamp_min", "clamp_max", "avg_over_time", "max_over_time", "min_over_time", "last_over_time", "increase", "predict_linear"}
PER_SECOND = {"rate", "irate", "deriv"}


@dataclasses.dataclass(frozen=True)
class Dimension:
    """Powers of seconds and bytes. A moment is no number of seconds; a bare number fits to anything."""

    seconds: int = 0
    bytes: int = 0
    moment: bool = False
    bare: bool = False

    def __str__(self):
        if self.moment:
            return "moment" if not self.seconds else "moment in ms"
        above = [name for name in ("seconds", "bytes") if getattr(self, name) > 0 for _ in range(getattr(self, name))]
        below = [name for name in ("seconds", "bytes") if getattr(self, name) < 0 for _ in range(-getattr(self, name))]
        return "*".join(above or (["1"] if below else [])) + ("/" + "*".join(below) if below else "")


BARE, NUMBER, MOMENT = Dimension(bare=True), Dimension(), Dimension(moment=True)
OF_UNIT = {"seconds": Dimension(seconds=1), "bytes": Dimension(bytes=1), "instant": MOMENT, "ratio": NUMBER, "": NUMBER, None: NUMBER}


class DimensionError(Exception):
    """Apples and pears."""


def of_selector(node):
    if not node.name.startswith("tidemark_"):
        return NUMBER
    metric = catalogue.metric_of(node.name)
    counts = node.name.endswith(("_bucket", "_count")) and metric.kind == "histogram"
    return NUMBER if counts else OF_UNIT[metric.unit]


def of(node):
    if isinstance(node, promql.Number):
        return BARE
    if isinstance(node, promql.Selector):
        return of_selector(node)
    if isinstance(node, promql.Binary):
        return of_binary(node, of(node.left), of(node.right))
    name, arguments = node.function, node.arguments
    if name in ("count", "group", "changes"):
        return NUMBER
    if name == "time":
        return MOMENT
    if name == "histogram_quantile":
        return OF_UNIT[catalogue.metric_of(promql.selectors(arguments[1])[0].name).unit]
    inner = of(arguments[1] if name in ("topk", "bottomk") else arguments[0])
    if name in PER_SECOND:
        if inner.moment:
            raise DimensionError("a moment has no rate")
        return Dimension(inner.seconds - 1, inner.bytes)
    if name in SAME or isinstance(node, promql.Aggregation):
        return inner
    raise DimensionError(f"{name} is not known here")


def of_binary(node, left, right):
    operator = node.operator
    # Nothing is nothing in any unit, and so is what it divides without bound.
    if operator == "==" and not node.bool and node.right == promql.Number(0):
        return BARE
    if operator in ("*", "/"):
        return of_product(node, left, right)
    if operator in ("and", "unless"):
        return left
    if operator == "-" and left.moment and right.moment:
        return OF_UNIT["seconds"]
    if left.bare or right.bare or left == right:
        fits = right if left.bare else left
        return NUMBER if node.bool else fits
    raise DimensionError(f"{left} {operator} {right}")


def of_product(node, left, right):
    if left.moment or right.moment:
        factor = node.right if left.moment else node.left
        if node.operator == "*" and isinstance(factor, promql.Number) and factor.value == 1000:
            return Dimension(seconds=1, moment=True)
        # A join by a metric that is always 1 changes nothing.
        if node.operator == "*" and left.moment and node.group is not None and right == NUMBER:
            return left
        raise DimensionError(f"a moment {node.operator} {right}")
    sign = 1 if node.operator == "*" else -1
    found = Dimension(left.seconds + sign * right.seconds, left.bytes + sign * right.bytes)
    return BARE if left.bare and right.bare else found
