"""What became of scenarios: lines for people, JUnit XML for build servers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from everest.scenario.csms import Frame
from everest.scenario.model import Outcome, Verdict
from everest.scenario.unmet import shown, stamp

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
KINDS = {2: ">", 3: "=", 4: "!"}
"""How CALL, CALLRESULT and CALLERROR are shown."""
INDENT = " " * 14


def line(verdict: Verdict) -> str:
    """One step: `ok     3  0:00:02.0  card DRIVER`; with a failure its place, reason and what came below."""
    word = "skip" if verdict.skipped else "ok" if verdict.passed else "FAIL"
    at = " " * 9 if verdict.skipped else stamp(verdict.at)
    text = f"  {word:4} {verdict.step.number:>3}  {at}  {verdict.step.title}"
    if verdict.problem:
        below = (f"{_place(verdict)}: {verdict.problem}", *(f"  {detail}" for detail in verdict.details))
        text += "".join(f"\n{INDENT}{one}" for one in below)
    return text


def message(frame: Frame, began: float) -> str:
    """An OCPP frame: `0:00:02.0  station > Heartbeat {}`, or `csms` of the central system."""
    kind, *rest = frame.message
    said = f"{rest[1]} {shown(rest[2])}" if kind == 2 else shown(rest[1] if kind == 3 else rest[1:])
    return f"            {stamp(frame.time - began)}  {'station' if frame.sent else 'csms   '} {KINDS[kind]} {said}"


def summary(outcome: Outcome) -> str:
    """The verdict on a scenario."""
    name, verdicts = outcome.scenario.name, outcome.verdicts
    if outcome.passed:
        return f"PASSED {name} ({len(verdicts)} steps)"
    if outcome.failure:
        after = f" after step {verdicts[-1].step.number}" if verdicts else ""
        return "".join((f"FAILED {name}{after}: {outcome.failure}", *(f"\n  {detail}" for detail in outcome.details)))
    failed = next(verdict for verdict in verdicts if verdict.problem)
    return f"FAILED {name}: step {failed.step.number} at {stamp(failed.at + failed.seconds)}"


def write_junit(path: Path, outcomes: Sequence[Outcome]) -> None:
    """A test suite per scenario, a test case per step; OSError passes."""
    root = ElementTree.Element("testsuites")
    for outcome in outcomes:
        _suite(root, outcome)
    tree = ElementTree.ElementTree(root)
    ElementTree.indent(tree)
    tree.write(path, encoding="utf-8", xml_declaration=True)


def _suite(root: ElementTree.Element, outcome: Outcome) -> None:
    verdicts, name = outcome.verdicts, outcome.scenario.name
    counts = {
        "tests": len(verdicts) + bool(outcome.failure),
        "failures": sum(1 for v in verdicts if v.problem),
        "errors": int(bool(outcome.failure)),
        "skipped": sum(1 for v in verdicts if v.skipped),
    }
    suite = ElementTree.SubElement(root, "testsuite", {"name": _clean(name), **{k: str(v) for k, v in counts.items()}})
    suite.set("time", f"{sum(v.seconds for v in verdicts):.3f}")
    for verdict in verdicts:
        case = ElementTree.SubElement(suite, "testcase", classname=_clean(name), time=f"{verdict.seconds:.3f}")
        case.set("name", _clean(f"{verdict.step.number} {verdict.step.title}"))
        if verdict.problem:
            text = "\n".join((f"{_place(verdict)} at {stamp(verdict.at)}", *verdict.details))
            ElementTree.SubElement(case, "failure", message=_clean(verdict.problem)).text = _clean(text)
        elif verdict.skipped:
            ElementTree.SubElement(case, "skipped")
    if outcome.failure:
        case = ElementTree.SubElement(suite, "testcase", classname=_clean(name), name="the station")
        error = ElementTree.SubElement(case, "error", message=_clean(outcome.failure))
        error.text = _clean("\n".join(outcome.details))


def _place(verdict: Verdict) -> str:
    return f"{verdict.step.file}:{verdict.step.line}"


def _clean(text: str) -> str:
    return _NOT_XML.sub("?", text)
