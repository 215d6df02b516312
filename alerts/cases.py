"""Reads alerts/tests/*.yaml and turns each case into a unit test file of promtool.

A case:

    - name: a sentence
      interval: 1m                    # between samples and evaluations [default: 1m]
      base: ABC                       # members whose target is up and whose state is known [default: ABC; A is primary]
      series:
        tidemark_mongod_up{A}: 1x5 0x20
      firing:                         # the complete set of firing alerts at a time, TidemarkWatchdog apart
        5m: []
        9m: [MongodDown critical]
      silent: [ReplsetNoPrimary]      # alerts for which this case is a trap
      without: [replset]              # labels that no alert can have here
      labels:                         # that an alert has here, whenever it fires
        MongodDown: {replset: rs0}

In braces A, B and C are three sidecars (several letters: a series for each), R is the replica set; anything else stands
for itself. `1x5` is 1 and five times more.
"""

import functools
import itertools
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parent
WATCHDOG = "TidemarkWatchdog"
REPLSET = 'replset="rs0"'
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
STATES = {"A": 1, "B": 2, "C": 2}


def target(letter):
    number = "ABC".index(letter)
    return (f'job="db/tidemark",namespace="db",cluster="orders",pod="orders-{number}",'
            f'instance="10.0.0.{number + 1}:9717"')


def expand(series):
    """Full series names of one with letters in its braces."""
    name, _, labels = series.partition("{")
    choices = []
    for label in labels.rstrip("}").split(",") if labels else []:
        label = label.strip()
        if re.fullmatch("[ABC]+", label):
            choices.append([target(letter) for letter in label])
        else:
            choices.append([REPLSET if label == "R" else label])
    return [f"{name}{{{','.join(choice)}}}" for choice in itertools.product(*choices)]


def values(text):
    """`1x5` as promtool knows it."""
    return re.sub(r"(?<![\w.+-])(-?[\d.]+)x(\d+)", r"\1+0x\2", str(text))


def cases():
    for path in sorted((ROOT / "tests").glob("*.yaml")):
        for case in yaml.load(path.read_text(), yaml.BaseLoader):  # 0x60 is not a number
            yield path.stem, case


def firing(case):
    """Alerts that the case expects to fire at some time."""
    return {entry.split()[0] for expected in case["firing"].values() for entry in expected}


@functools.cache
def group_names(rules):
    return re.findall(r"^- name: (.+)$", rules.read_text(), re.M)


def samples_until_the_end(case, interval):
    """How often a value that never changes must be given."""
    return max(seconds(at) for at in case["firing"]) // seconds(interval) + 1


def seconds(duration):
    """Of `1h30m`."""
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([smhd])", duration))


def promtool_file(case, rules, described):
    """One case as a file of promtool. `described`: alert -> labels that its description shows, which must not be empty."""
    interval = case.get("interval", "1m")
    last = samples_until_the_end(case, interval)
    series = []
    for letter in case.get("base", "ABC"):
        series.append({"series": f'up{{{target(letter)}}}', "values": f"1+0x{last}"})
        state = f"tidemark_replset_self_state{{{target(letter)},{REPLSET}}}"
        series.append({"series": state, "values": f"{STATES[letter]}+0x{last}"})
    given = {name: values(text) for key, text in case["series"].items() for name in expand(key)}
    series = [entry for entry in series if entry["series"] not in given]
    series += [{"series": name, "values": text} for name, text in given.items()]
    tests = []
    for at, expected in case["firing"].items():
        query = f'group by (alertname, severity) (ALERTS{{alertstate="firing",alertname!="{WATCHDOG}"}})'
        samples = [{"labels": '{{alertname="{}",severity="{}"}}'.format(*entry.split()), "value": 1} for entry in expected]
        tests.append({"expr": query, "eval_time": at, "exp_samples": samples})
        for alert, label in sorted({(entry.split()[0], label) for entry in expected for label in described[entry.split()[0]]
                                    if label not in case.get("without", [])}):
            query = f'ALERTS{{alertstate="firing",alertname="{alert}",{label}=""}}'
            tests.append({"expr": query, "eval_time": at, "exp_samples": []})
        for alert, label, value in ((alert, *one) for alert, labels in case.get("labels", {}).items() for one in labels.items()):
            query = f'ALERTS{{alertstate="firing",alertname="{alert}",{label}!="{value}"}}'
            tests.append({"expr": query, "eval_time": at, "exp_samples": []})
    group = {"name": case["name"], "interval": interval, "input_series": series, "promql_expr_test": tests}
    # Otherwise promtool may evaluate an alert before the recording that it rests on.
    order = group_names(rules)
    return {"rule_files": [str(rules)], "evaluation_interval": interval, "group_eval_order": order, "tests": [group]}
