"""Dashboards as classic JSON of Grafana, schema version 39: core panels, one variable for the data source, no plugins."""

import re

import catalogue
import expressions
import model

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
TAG = "tidemark"
COLUMNS = 24


def document(dashboard):
    names = {variable.name for variable in dashboard.variables}
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": [TAG],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": dashboard.since, "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "fiscalYearStartMonth": 0,
        "liveNow": False,
        "weekStart": "",
        "links": dashboard_links(),
        "templating": {"list": [datasource(), *variables(dashboard)]},
        "annotations": {"list": [of_grafana(), *(annotation(one, names) for one in dashboard.annotations)]},
        "panels": laid_out(dashboard, names),
    }


def dashboard_links():
    others = {"type": "dashboards", "title": "Tidemark", "tags": [TAG], "asDropdown": False, "includeVars": True, "keepTime": True,
              "targetBlank": False, "icon": "external link", "tooltip": "The other dashboards, with the same choices", "url": ""}
    pages = {"type": "link", "title": "Runbooks", "tags": [], "asDropdown": False, "includeVars": False, "keepTime": False,
             "targetBlank": True, "icon": "doc", "tooltip": "What to do when an alert fires", "url": runbook("README")}
    return [others, pages]


def runbook(name):
    return f"{catalogue.parameters()['runbook_base']}/{name}.md"


def datasource():
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "current": {}, "hide": 0,
            "includeAll": False, "multi": False, "options": [], "refresh": 1, "regex": "", "skipUrlSync": False}


def variables(dashboard):
    """Each narrowed by those to the left of it: Grafana cannot resolve circles."""
    left = set()
    for one in dashboard.variables:
        yield variable(one, frozenset(left))
        left.add(one.name)


def variable(one, left):
    series = one.series if one.series.startswith("{") else expressions.rendered(one.series, left)
    query = f"label_values({series}, {one.name})"
    return {"name": one.name, "label": one.label, "type": "query", "datasource": DATASOURCE, "definition": query,
            "query": {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"}, "refresh": 2, "regex": "", "sort": 1, "multi": True, "includeAll": True,
            **({} if one.every is None else {"allValue": one.every}), "current": {"selected": True, "text": ["All"], "value": ["$__all"]}, "hide": 0, "options": [],
            "skipUrlSync": False}


def of_grafana():
    return {"builtIn": 1, "datasource": {"type": "grafana", "uid": "-- Grafana --"}, "enable": True, "hide": True,
            "iconColor": "rgba(0, 211, 255, 1)", "name": "Annotations & Alerts", "type": "dashboard"}


def annotation(one, names):
    return {"name": one.name, "datasource": DATASOURCE, "enable": one.shown, "hide": False, "iconColor": one.color,
            "expr": expressions.rendered(one.expr, names, one.within), "titleFormat": one.title, "textFormat": "", "tagKeys": one.tags,
            "useValueForTime": one.at_value, "step": "60s"}


def laid_out(dashboard, names):
    """Rows of panels from left to right and from top to bottom, each as high as its highest panel."""
    placed, y = [], 0
    for row in dashboard.rows:
        placed.append({"type": "row", "title": row.title, "collapsed": False, "panels": [], "id": len(placed) + 1,
                       "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1}})
        y, x, height = y + 1, 0, 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                y, x, height = y + height, 0, 0
            within = dashboard.within if panel.within is None else panel.within
            place = {"x": x, "y": y, "w": panel.width, "h": panel.height}
            placed.append({**drawn(panel, names, within), "id": len(placed) + 1, "gridPos": place})
            x, height = x + panel.width, max(height, panel.height)
        y += height
    return placed


def drawn(panel, names, within):
    common = {"type": panel.kind, "title": panel.title, "description": described(panel), "datasource": DATASOURCE, "transparent": False,
              "links": [{"title": f"Runbook: {alert}", "url": runbook(alert), "targetBlank": True} for alert in panel.alerts]}
    targets = [target(panel, query, index, names, within) for index, query in enumerate(panel.queries)]
    how = {"stat": as_stat, "timeseries": as_graph, "table": as_table, "state-timeline": as_states, "heatmap": as_heatmap}[panel.kind]
    return {**common, "targets": targets, **how(panel)}


def described(panel):
    alerts = f" Alert{'s' if len(panel.alerts) > 1 else ''}: {', '.join(panel.alerts)}." if panel.alerts else ""
    empty = f" Empty when: {panel.empty}." if panel.empty else ""
    reasons = dict.fromkeys(query.empty for query in panel.queries if query.empty and query.empty != panel.empty)
    parts = f" {'Empty' if len(panel.queries) == 1 else 'In part empty'} when: {'; '.join(reasons)}." if reasons else ""
    return panel.description + alerts + empty + parts


def target(panel, query, index, names, within):
    # The value of now, or none: a stat over a range would go on to show what a dead server said last.
    instant = panel.kind in ("stat", "table")
    kind = {"table": "table", "heatmap": "heatmap"}.get(panel.kind, "time_series")
    return {"refId": letter(index), "datasource": DATASOURCE, "expr": expressions.rendered(query.expr, names, within), "editorMode": "code",
            "legendFormat": query.legend or "__auto", "format": kind, "instant": instant, "range": not instant}


def letter(index):
    return chr(ord("A") + index)


def thresholds(steps, base="text"):
    """`base` is the color of all values when there are no steps."""
    if steps in (None, model.NEUTRAL):
        steps = model.Steps(base, ())
    return {"mode": "absolute", "steps": [{"color": steps.base, "value": None}, *({"color": color, "value": at} for at, color in steps.above)]}


def mapped(mappings, unknown=None):
    values = {str(value): {"text": text, "color": color, "index": index} for index, (value, text, color) in enumerate(mappings)}
    found = [{"type": "value", "options": values}] if values else []
    if unknown is not None:
        found.append({"type": "special", "options": {"match": "null+nan", "result": {"text": unknown, "color": model.UNKNOWN, "index": len(mappings)}}})
    return found


def with_decimals(panel):
    return {} if panel.decimals is None else {"decimals": panel.decimals}


def as_stat(panel):
    judged = panel.steps != model.NEUTRAL and bool(panel.steps or panel.mappings)
    defaults = {"unit": panel.unit, "noValue": panel.unknown, "mappings": mapped(panel.mappings, panel.unknown),
                "color": {"mode": "thresholds"}, "thresholds": thresholds(panel.steps, model.PLAIN if judged else "text"), **with_decimals(panel)}
    options = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "background" if judged else "value",
               "graphMode": "none", "justifyMode": "center", "orientation": "auto", "textMode": "auto", "wideLayout": True,
               "showPercentChange": False}
    return {"fieldConfig": {"defaults": defaults, "overrides": []}, "options": options}


def as_graph(panel):
    # `last` may be nothing: the legend must not go on to show what a dead server said.
    custom = {"drawStyle": "bars" if panel.bars else "line", "lineInterpolation": "linear", "lineWidth": 1,
              "fillOpacity": 60 if panel.bars else 25 if panel.stacked else 0, "gradientMode": "none", "showPoints": "auto", "pointSize": 4,
              "spanNulls": False, "insertNulls": False, "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
              "thresholdsStyle": {"mode": "dashed" if panel.steps else "off"}, "axisPlacement": "auto", "axisLabel": "", "axisSoftMin": 0,
              "scaleDistribution": {"type": "linear"}, "hideFrom": {"legend": False, "tooltip": False, "viz": False}}
    defaults = {"unit": panel.unit, "mappings": mapped(panel.mappings), "color": {"mode": "palette-classic"}, "custom": custom, "noValue": panel.unknown,
                "thresholds": thresholds(panel.steps), **with_decimals(panel)}
    overrides = [by_frame(letter(index), [{"id": "unit", "value": query.unit}]) for index, query in enumerate(panel.queries) if query.unit]
    for prefix in panel.dashed:
        style = [{"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 8]}}, {"id": "custom.fillOpacity", "value": 0},
                 {"id": "custom.stacking", "value": {"mode": "none", "group": "A"}}]
        overrides.append({"matcher": {"id": "byRegexp", "options": f"/^{prefix}/"}, "properties": style})
    if panel.band:
        low, high = panel.band
        fill = [{"id": "custom.fillBelowTo", "value": low}, {"id": "custom.fillOpacity", "value": 30}]
        overrides.append({"matcher": {"id": "byName", "options": high}, "properties": fill})
    options = {"legend": {"showLegend": True, "displayMode": "table", "placement": "bottom", "calcs": ["last", "max"]},
               "tooltip": {"mode": "multi", "sort": "desc"}}
    return {"fieldConfig": {"defaults": defaults, "overrides": overrides}, "options": options}


def by_frame(ref, properties):
    return {"matcher": {"id": "byFrameRefID", "options": ref}, "properties": properties}


def as_table(panel):
    overrides, names = [], {}
    for index, query in enumerate(panel.queries):
        # With one query the column is called `Value`, with several `Value #A`.
        column = f"Value #{letter(index)}" if len(panel.queries) > 1 else "Value"
        names[column] = query.legend
        properties = [{"id": "unit", "value": query.unit or panel.unit}, {"id": "noValue", "value": "-"}]
        if query.mappings:
            properties.append({"id": "mappings", "value": mapped(query.mappings)})
        if query.steps or query.mappings:
            properties += [{"id": "thresholds", "value": thresholds(query.steps, "transparent" if query.steps == model.NEUTRAL else model.PLAIN)},
                           {"id": "custom.cellOptions", "value": {"type": "color-background", "mode": "basic"}}]
        overrides.append({"matcher": {"id": "byName", "options": query.legend}, "properties": properties})
    for column, title, url in panel.links:
        link = {"id": "links", "value": [{"title": title, "url": url}]}
        overrides.append({"matcher": {"id": "byName", "options": column}, "properties": [link]})
    exclude = {name: True for name in ("Time", *(column for column, title in names.items() if title in panel.hidden))}
    transformations = [{"id": "merge", "options": {}}, {"id": "organize", "options": {"excludeByName": exclude, "renameByName": names, "indexByName": {}}}]
    defaults = {"unit": panel.unit, "mappings": [], "color": {"mode": "thresholds"}, "thresholds": thresholds(None), "noValue": panel.unknown,
                "custom": {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True, "inspect": False}, **with_decimals(panel)}
    options = {"showHeader": True, "cellHeight": "sm", "footer": {"show": False, "reducer": ["sum"], "countRows": False, "fields": ""}, "sortBy": []}
    return {"fieldConfig": {"defaults": defaults, "overrides": overrides}, "options": options, "transformations": transformations}


def as_states(panel):
    defaults = {"unit": panel.unit, "mappings": mapped(panel.mappings), "color": {"mode": "thresholds"}, "noValue": panel.unknown,
                "thresholds": thresholds(panel.steps),
                "custom": {"fillOpacity": 80, "lineWidth": 0, "spanNulls": False, "insertNulls": False,
                           "hideFrom": {"legend": False, "tooltip": False, "viz": False}}}
    options = {"mergeValues": True, "showValue": "auto", "alignValue": "left", "rowHeight": 0.8,
               "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "single", "sort": "none"}}
    return {"fieldConfig": {"defaults": defaults, "overrides": []}, "options": options}


def as_heatmap(panel):
    defaults = {"custom": {"scaleDistribution": {"type": "linear"}, "hideFrom": {"legend": False, "tooltip": False, "viz": False}}}
    options = {"calculate": False, "cellGap": 1, "cellValues": {"unit": "short"}, "color": {"mode": "scheme", "scheme": "Oranges", "scale": "exponential",
               "exponent": 0.5, "steps": 64, "fill": "dark-orange", "reverse": False}, "exemplars": {"color": "rgba(255,0,255,0.7)"},
               "filterValues": {"le": 1e-9}, "legend": {"show": True}, "rowsFrame": {"layout": "auto"}, "showValue": "never",
               "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": False},
               "yAxis": {"axisPlacement": "left", "reverse": False, "unit": panel.unit}}
    return {"fieldConfig": {"defaults": defaults, "overrides": []}, "options": options}


def legend_labels(text):
    """Labels that a legend shows."""
    return re.findall(r"{{\s*(\w+)\s*}}", text)
