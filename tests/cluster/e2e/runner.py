"""Runs classes of tests side by side: nearly all of their time is waiting, for probes, elections, restarts and alerts.

Tests of one class share what it has installed and run one after the other. Classes share nothing but the cluster: each has namespaces of its own.
"""

import multiprocessing
import os
import time
import traceback
import unittest
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field

AT_ONCE = 3
LIMIT_MINUTES = 25


@dataclass
class Outcome:
    """Of one class, as its process hands it over."""

    name: str
    seconds: float = 0.0
    run: int = 0
    in_tests: float = 0.0
    skipped: int = 0
    failed: list[str] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)


class Result(unittest.TestResult):
    """Says how each test ended when it did, and why it failed; lines of several classes come mixed."""

    def __init__(self, outcome: Outcome, is_set_up):
        super().__init__()
        self.outcome, self.is_set_up = outcome, is_set_up
        self.began = time.monotonic()

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self.is_set_up()
        self.began = time.monotonic()
        self.outcome.run += 1

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        self.outcome.in_tests += time.monotonic() - self.began

    def say(self, test: unittest.TestCase, word: str) -> None:
        print(f"{test.id()} ... {word} ({time.monotonic() - self.began:.1f} s)", flush=True)

    def fail(self, test: unittest.TestCase, word: str, error: tuple) -> None:
        self.outcome.failed.append(test.id())
        self.say(test, f"{word}\n{''.join(traceback.format_exception(*error))}")

    def addSuccess(self, test: unittest.TestCase) -> None:
        self.say(test, "ok")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self.outcome.skipped += 1
        self.say(test, f"skipped: {reason}")

    def addFailure(self, test: unittest.TestCase, err: tuple) -> None:
        self.fail(test, "FAIL", err)

    def addError(self, test: unittest.TestCase, err: tuple) -> None:
        self.fail(test, "ERROR", err)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: tuple | None) -> None:
        if err is not None:
            self.fail(subtest, "FAIL", err)


def classes_of(suite: unittest.TestSuite) -> dict[type, list[unittest.TestCase]]:
    found: dict[type, list[unittest.TestCase]] = {}
    for test in suite:
        for kind, tests in (classes_of(test) if isinstance(test, unittest.TestSuite) else {type(test): [test]}).items():
            found.setdefault(kind, []).extend(tests)
    return found


def run_class(kind: type, tests: list[unittest.TestCase], is_set_up=lambda: None) -> Outcome:
    outcome = Outcome(kind.__name__)
    began = time.monotonic()
    unittest.TestSuite(tests).run(Result(outcome, is_set_up))
    # Also when it could not be set up.
    is_set_up()
    outcome.seconds = time.monotonic() - began
    outcome.figures = list(getattr(kind, "figures", []))
    return outcome


# What a process that is forked finds: tests cannot be sent to one.
_processes = multiprocessing.get_context("fork")
_waiting: list[tuple[type, list[unittest.TestCase]]] = []
_quiet_is_over = _processes.Event()


def _run_number(number: int) -> Outcome:
    kind, tests = _waiting[number]
    if getattr(kind, "quiet_start", False):
        return run_class(kind, tests, _quiet_is_over.set)
    _quiet_is_over.wait()
    return run_class(kind, tests)


@dataclass
class Summary:
    outcomes: list[Outcome]

    def wasSuccessful(self) -> bool:
        return not any(outcome.failed for outcome in self.outcomes)


class SideBySide:
    """Takes the place of unittest's runner."""

    def __init__(self, at_once: int = 0):
        self.at_once = at_once or int(os.environ.get("TIDEMARK_E2E_AT_ONCE") or AT_ONCE)

    def run(self, suite: unittest.TestSuite) -> Summary:
        began = time.monotonic()
        # Who wants it quiet, then the longest, so that none of them begins when the others are done.
        _waiting[:] = sorted(classes_of(suite).items(), key=lambda item: (not getattr(item[0], "quiet_start", False), -getattr(item[0], "minutes", 0)))
        _quiet_is_over.clear()
        if not any(getattr(kind, "quiet_start", False) for kind, _ in _waiting):
            _quiet_is_over.set()
        for kind, _ in _waiting:
            getattr(kind, "prepare", lambda: None)()
        summary = Summary([])
        with ProcessPoolExecutor(self.at_once, mp_context=_processes) as pool:
            started = {pool.submit(_run_number, number): kind.__name__ for number, (kind, _) in enumerate(_waiting)}
            try:
                for ended in as_completed(started):
                    summary.outcomes.append(self.outcome(ended, started[ended]))
            except BaseException:
                # Who is stopped waits for what runs, which cleans up, and begins nothing more.
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        self.tell(summary, time.monotonic() - began)
        return summary

    def outcome(self, ended: Future, name: str) -> Outcome:
        if error := ended.exception():
            print(f"{name} ... ERROR: its process ended: {error!r}", flush=True)
            return Outcome(name, failed=[name])
        return ended.result()

    def tell(self, summary: Summary, seconds: float) -> None:
        lines = ["", "minutes by class (of which before and after its tests):"]
        for outcome in sorted(summary.outcomes, key=lambda outcome: -outcome.seconds):
            lines.append(f"  {outcome.seconds / 60:5.1f} ({(outcome.seconds - outcome.in_tests) / 60:.1f})  {outcome.name}, {outcome.run} tests")
        figures = [figure for outcome in summary.outcomes for figure in outcome.figures]
        lines += ["figures:", *(f"  {figure}" for figure in figures)] if figures else []
        failed = [name for outcome in summary.outcomes for name in outcome.failed]
        lines += ["failed:", *(f"  {name}" for name in failed)] if failed else []
        run, skipped = sum(outcome.run for outcome in summary.outcomes), sum(outcome.skipped for outcome in summary.outcomes)
        lines.append(f"{run} tests, {len(failed)} failed, {skipped} skipped, {seconds / 60:.1f} minutes (limit {LIMIT_MINUTES}), {self.at_once} classes at once")
        print("\n".join(lines), flush=True)
