#!/usr/bin/env python3
"""Takes one guard after the other (`and …`, `unless …`, `or …`) out of a rule and looks whether a case notices.

Of a recording rule those cases are asked that are about the alerts which rest on it.

A guard that nobody misses is either not needed or not tested. PROMTOOL names the tool. Half an hour: part of
`make soak`, not of `make test`. Exit code 1 when a guard is not missed. Names of rules try these alone.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

import cases
import render

PROMTOOL = os.environ.get("PROMTOOL", "promtool")


def accepts(*arguments):
    return subprocess.run([PROMTOOL, *map(str, arguments)], capture_output=True, check=False).returncode == 0


def without_guards(expression):
    """The expression without one guard, and that guard, for each line that begins one."""
    lines = expression.split("\n")
    for first, line in enumerate(lines):
        if not re.match(r"\s*(unless|and|or)\b", line):
            continue
        for end in range(first + 1, len(lines) + 1):
            guard = "\n".join(lines[first:end])
            if guard.count("(") == guard.count(")"):
                break
        yield "\n".join(lines[:first] + lines[end:]), " ".join(guard.split())


def resting_on(rule, rules):
    """Names of the alerts that a rule is or carries, through other recording rules, too."""
    if "alert" in rule:
        return {rule["alert"]}
    names = re.compile(rf"(?<![\w:]){re.escape(rule['record'])}(?![\w:])")
    above = (other for other in rules if other is not rule and names.search(other["expr"]))
    return set().union(*(resting_on(other, rules) for other in above))


def length(entry):
    _, case = entry
    return cases.samples_until_the_end(case, case.get("interval", "1m"))


def noticed(alerts, rules, folder):
    # Short ones first: most guards are missed within an hour, and some cases last for days.
    for _, case in sorted(cases.cases(), key=length):
        if alerts & (cases.firing(case) | set(case.get("silent", []))):
            path = folder / "case.yaml"
            path.write_text(yaml.safe_dump(cases.promtool_file(case, rules, dict.fromkeys(cases.firing(case), ()))))
            if not accepts("test", "rules", path):
                return True
    return False


def main():
    groups = render.groups(render.parameters(), render.Scale(1, 0))
    tried, missed = 0, []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        rules = folder / "rules.yaml"
        every = [rule for group in groups for rule in group["rules"]]
        asked = set(sys.argv[1:])
        for rule in every:
            if asked and rule.get("record", rule.get("alert")) not in asked:
                continue
            whole, alerts = rule["expr"], resting_on(rule, every)
            for rule["expr"], guard in without_guards(whole):
                rules.write_text(render.dump({"groups": groups}))
                # What is no rule any more needs no case.
                if accepts("check", "rules", rules):
                    tried += 1
                    if not noticed(alerts, rules, folder):
                        name = rule.get("record") or f"{rule['alert']} {rule['labels']['severity']}"
                        missed.append(f"{name}: {guard}")
                        print(missed[-1], flush=True)
            rule["expr"] = whole
    print(f"{tried} guards taken out, {len(missed)} of them unnoticed")
    sys.exit(1 if missed or not tried else 0)


if __name__ == "__main__":
    main()
