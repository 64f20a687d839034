"""Mistakes in scenario files are named with file, line, key and the fix, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from everest.manager.errors import ConfigError
from everest.scenario import reading


def mistakes(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "x.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        reading.load(file)
    return [str(problem).removeprefix(f"{file}:") for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("{crad: X}", '3: steps[0].crad: "crad" is no kind of step; did you mean "card"?'),
        ("{card: X, conector: 1}", '3: steps[0].conector: is not known here; did you mean "connector"?'),
        (
            "{wait: soon}",
            "3: steps[0].wait: cannot be 'soon'; write a time, for example 10 s or 2 min, or `until 22:00`",
        ),
        ("{car: plug, connector: 0}", "3: steps[0].connector: cannot be 0; write a number from 1"),
        ("{network: broken}", "3: steps[0].network: cannot be 'broken'; write one of: online, offline, refuse, hang"),
        ("{network: {late: x}}", "3: steps[0].network: cannot be {'late': 'x'}; write {late: 5 s}"),
        ("{wait: 5}", "3: steps[0].wait: cannot be 5; write its unit: 5 s"),
        ("{wait: 0.5}", "3: steps[0].wait: cannot be 0.5; write its unit: 0.5 s"),
        ("{expect: Heartbeat, within: 90}", "3: steps[0].within: cannot be 90; write its unit: 90 s"),
        ("{none: Heartbeat, for: 1}", "3: steps[0].for: cannot be 1; write its unit: 1 s"),
        ("{network: {late: 7}}", "3: steps[0].network: cannot be {'late': 7}; write {late: 7 s}"),
        ("{publish: a/#}", "3: steps[0].publish: cannot be 'a/#'; write a topic without the wildcards + and #"),
        ("{publish: a/+/b}", "3: steps[0].publish: cannot be 'a/+/b'; write a topic without the wildcards + and #"),
        ("{variable: ocpp/main}", "3: steps[0].variable: cannot be 'ocpp/main'; write <module id>/"),
        ("{card: X, car: plug}", "3: steps[0]: a step has one leading key"),
        ("just text", "3: steps[0]: a step has one leading key"),
        ("{order: [{A: 1}]}", "3: steps[0].order: cannot be [{'A': 1}]; write a list of actions"),
    ],
)
def test_a_wrong_step_is_named_with_its_line_and_the_fix(tmp_path: Path, step: str, said: str) -> None:
    found = mistakes(tmp_path, f"scenario: S\nsteps:\n  - {step}\n")
    assert len(found) == 1
    assert found[0].startswith(said)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    found = mistakes(tmp_path, "sed: 1\nstart: yesterday\nsteps:\n  - {wait: x}\n  - {wait: y}\n")
    assert [line.split(":")[0] for line in found] == ["1", "2", "1", "4", "5"]


def test_broken_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    assert mistakes(tmp_path, "scenario: S\nsteps: [\n")[0].split(":")[0] in ("2", "3")


def test_a_key_that_is_there_twice_is_a_mistake(tmp_path: Path) -> None:
    found = mistakes(tmp_path, "scenario: S\nsteps:\n  - card: A\n    card: B\n")
    assert found == ["4: key 'card' is there twice (first in line 3); write it once"]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("{expect: BootNotificaton}", 'steps[0].expect: "BootNotificaton" is no message of a station; did you mean'),
        ("{expect: Heartbeat, with: {a: 1}}", 'steps[0].with.a: Heartbeat has no field "a"; there are none'),
        ("{order: [{Authorize: {idtag: X}}]}", 'steps[0].order[0].Authorize.idtag: Authorize has no field "idtag"'),
        ("{expect: Authorize, with: {idTag: '/[/'}}", "steps[0]: /[/ is no regular expression"),
        ("{card: $who}", "card: no step before has saved $who; there are: files"),
        ("{repeat: 2}", 'steps[0]: "steps" is missing'),
        ("{repeat: 2000, steps: [{wait: 1 s}]}", "steps[0].repeat: cannot be 2000; write a number up to 1000"),
        ("{repeat: 2, steps: [{wiat: 1 s}]}", 'steps[0].steps[0].wiat: "wiat" is no kind of step'),
        ("{choose: {a: 5 min}}", "steps[0].choose: cannot be {'a': '5 min'}; write `name: [one, other]`"),
        ("{files: {a: gone}}", "steps[0].files: cannot be {'a': 'gone'}; write `file name: state`"),
        ("{wait: until 25:00}", "steps[0].wait: cannot be 'until 25:00'"),
        ("{call: ocpp/main}", "steps[0].call: cannot be 'ocpp/main'; write <module id>/<implementation id>/<command>"),
    ],
)
def test_words_that_would_never_be_met_are_mistakes(tmp_path: Path, step: str, said: str) -> None:
    (found,) = dict.fromkeys(mistakes(tmp_path, f"scenario: S\nsteps:\n  - {step}\n"))
    assert found.removeprefix("3: ").startswith(said)


def test_what_is_wrong_in_the_head_is_named(tmp_path: Path) -> None:
    head = "csms: {tags: {A: Acceptd}, answers: {Authorise: {}}}\n"
    found = mistakes(tmp_path, f"scenario: S\n{head}steps: [{{wait: 1 s}}]\n")
    assert [line.split(": ")[1] for line in found] == ["csms.answers.Authorise", "csms.tags.A"]
