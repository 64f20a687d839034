"""What became of scenarios: lines for people, JUnit XML for build servers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from everest.scenario.model import Outcome, Verdict

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def line(verdict: Verdict) -> str:
    """One step: `ok     3  card DRIVER`; with a failure its place and reason below."""
    word = "skip" if verdict.skipped else "ok" if verdict.passed else "FAIL"
    text = f"  {word:4} {verdict.step.number:3}  {verdict.step.title}"
    if verdict.problem:
        text += f"\n            {verdict.step.file}:{verdict.step.line}: {verdict.problem}"
    return text


def summary(outcome: Outcome) -> str:
    """The verdict on a scenario."""
    if outcome.passed:
        return f"PASSED {outcome.scenario.name} ({len(outcome.verdicts)} steps)"
    failed = [str(verdict.step.number) for verdict in outcome.verdicts if verdict.problem]
    return f"FAILED {outcome.scenario.name}: {outcome.failure or 'step ' + ', '.join(failed)}"


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
    suite = ElementTree.SubElement(root, "testsuite", {"name": name, **{k: str(v) for k, v in counts.items()}})
    suite.set("time", f"{sum(v.seconds for v in verdicts):.3f}")
    for verdict in verdicts:
        case = ElementTree.SubElement(suite, "testcase", classname=name, time=f"{verdict.seconds:.3f}")
        case.set("name", _clean(f"{verdict.step.number} {verdict.step.title}"))
        place = f"{verdict.step.file}:{verdict.step.line}"
        if verdict.problem:
            ElementTree.SubElement(case, "failure", message=_clean(verdict.problem)).text = place
        elif verdict.skipped:
            ElementTree.SubElement(case, "skipped")
    if outcome.failure:
        case = ElementTree.SubElement(suite, "testcase", classname=name, name="the station")
        ElementTree.SubElement(case, "error", message=_clean(outcome.failure))


def _clean(text: str) -> str:
    return _NOT_XML.sub("?", text)
