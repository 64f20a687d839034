"""The rest of the world of one module, read out of a trace: its configuration, what it was told, what it was answered.

Lives here: `World`, one life of one module. May not be imported here: replay, manager.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, cast

from everest.trace.records import CONNECT, DISCONNECT, RECEIVED, SENT, BusMessage, Frame, Record, Trace, TraceError
from everest.trace.said import Statement, module_ids, result_of, says, statements
from everest.trace.topics import TRACE, address, prefix_of

OCPP_MODULES = ("OCPP", "OCPP201")
"""Names of the modules that hold the connection to the CSMS."""
MOMENT = 2.0
"""Seconds that a station takes to end."""
ANSWER = "answer"
"""Begins the channels on which a module is answered."""


@dataclass
class Answer:
    """How a peer or the CSMS answered one call. `result` as `said.result_of` has it, for the CSMS the frame's text."""

    asked: Any
    at: float
    delay: float | None = None
    """Seconds until it came; None: it never did."""
    result: Any = None
    used: bool = False
    late: bool = False
    """Its turn in the recording is over, or there is none: it comes after the time it took."""

    turn: int | None = None
    """When in its moment it came, if the recording has turns."""

    def came(self, record: Record, result: Any) -> None:
        self.delay, self.result, self.turn = record.t - self.at, result, record.turn


class Input(NamedTuple):
    """What happens next to a module. `after`: how often it had spoken on which channels by then, of those on which it
    spoke (or was answered) since the input before."""

    record: Record
    after: tuple[tuple[str, int], ...]
    answer: Answer | None = None
    """Set where the record answers a call of the module."""
    turn: int | None = None
    """When in its moment, if the recording has turns."""


@dataclass
class Answers:
    """The recorded answers to one command or action, given again in their order."""

    given: list[Answer] = field(default_factory=list)

    def asked(self, question: Any, t: float) -> Answer:
        """A question in the recording; what is returned waits for its answer."""
        self.given.append(Answer(question, t))
        return self.given[-1]

    def to(self, asked: Any) -> Answer | None:
        """The first one not used yet to the same question, else to any; when all are used the last that came, again."""
        unused = [answer for answer in self.given if not answer.used]
        found = next((answer for answer in unused if answer.asked == asked), unused[0] if unused else None)
        if found is None:
            return next((answer for answer in reversed(self.given) if answer.delay is not None), None)
        found.used = True
        return found


def _turn(record: Record) -> int:
    return 0 if record.turn is None else record.turn


def lead(record: Record, answer: Answer | None) -> int:
    """How many turns earlier something has to happen that stands here in a recording: a frame is noted when it has been
    received, an answer is given by a task that wakes up for it."""
    return isinstance(record, Frame) + (answer is not None)


@dataclass
class _Moment:
    """What happens at one time. Inputs come by their turn; without turns, in the order of the recording."""

    before: dict[str, int] = field(default_factory=dict)
    """What was said before that no input has come after."""
    told: list[tuple[Record, Answer | None, int]] = field(default_factory=list)
    said: list[tuple[int, int, str, int]] = field(default_factory=list)
    """Turn, place, channel, and how often it has spoken there by then."""
    t: float = 0.0
    count: int = 0

    def is_over(self, record: Record) -> bool:
        """Whether this record comes later."""
        return self.count > 0 and (record.t != self.t or record.turn is None)

    def inputs(self) -> Iterator[Input]:
        """In the order in which they are to be played."""
        timed = [
            (max(_turn(record) - lead(record, answer), 0), record, answer, place) for record, answer, place in self.told
        ]
        for turn, record, answer, place in sorted(timed, key=lambda item: item[0]):
            after = {**self.before}
            after.update((channel, times) for at, where, channel, times in self.said if (at, where) < (turn, place))
            yield Input(record, tuple(after.items()), answer, None if record.turn is None else turn)

    def since(self) -> dict[str, int]:
        """What was said after the last input."""
        last = max((place for _, _, place in self.told), default=-1)
        said = {channel: times for _, where, channel, times in self.said if where >= last}
        return said if self.told else {**self.before, **said}


class World:
    """What a module saw in the first of its lives that a trace holds. Errors of the constructor: TraceError."""

    def __init__(self, trace: Trace, module: str) -> None:
        """`module`: the module's name (`OCPP`) or its id in the trace."""
        trace = attributed(trace)
        self.prefix = prefix_of(trace)
        self.module_id = _find(trace, self.prefix, module)
        self.modules = module_ids(trace, self.prefix)
        self.life = self._life(trace)
        self.configuration = self._configuration()
        self.interfaces = self._interfaces(trace)
        self._peers = {peer for peers in self.connections().values() for peer in peers}
        self.answers: defaultdict[tuple[str, str], Answers] = defaultdict(Answers)
        self.csms_answers: defaultdict[str, Answers] = defaultdict(Answers)
        self.start = self._start()
        """When the module had reported ready, in Unix seconds."""
        self.end = self.life[-1].t
        """Its last record."""
        self._answered: dict[int, Answer] = {}
        self._collect_answers()

    def said(self, externals: set[str] | None = None) -> list[Statement]:
        """All that the module said after it was ready."""
        found = statements(self.life, self.module_id, self.prefix, externals or ())
        return [item for item in found if item.t >= self.start]

    def inputs(self) -> Iterator[Input]:
        """What it was told, in order: peers' variables and errors, external topics, commands, the CSMS's side, answers.

        A connection that is lost in the last moment, and of which the module says nothing, was lost by its end: it is
        left out.
        """
        last = self._lost_by_the_end()
        spoken: Counter[str] = Counter()
        moment = _Moment()
        for record in self.life:
            if self.begins(record):
                spoken.clear()
                moment = _Moment()
            if record.t < self.start or record is last:
                continue
            if moment.is_over(record):
                yield from moment.inputs()
                moment = _Moment(moment.since())
            answer = self._answered.get(id(record))
            if answer is not None or self._is_input(record):
                moment.told.append((record, answer, moment.count))
            if (channel := self.channel(record)) is not None:
                spoken[channel] += 1
                moment.said.append((_turn(record), moment.count, channel, spoken[channel]))
            moment.count += 1
            moment.t = record.t
        yield from moment.inputs()

    def _lost_by_the_end(self) -> Record | None:
        ends = [record for record in self.frames() if record.direction in (CONNECT, DISCONNECT)]
        if not ends or ends[-1].direction != DISCONNECT or self.end - ends[-1].t >= MOMENT:
            return None
        after = self.life[next(index for index, record in enumerate(self.life) if record is ends[-1]) + 1 :]
        return None if any(says(record, self.module_id, self.prefix) for record in after) else ends[-1]

    def begins(self, record: Record) -> bool:
        """Whether the module tells here that it is ready."""
        return isinstance(record, BusMessage) and record.topic == f"{self.prefix}modules/{self.module_id}/ready"

    def channel(self, record: Record) -> str | None:
        """On which channel the module speaks in a record, or is answered; None for any other record."""
        said = statements([record], self.module_id, self.prefix)
        if said:
            return said[0].channel
        if isinstance(record, Frame):
            is_answer = record.direction == RECEIVED and record.module == self.module_id
            return ANSWER if is_answer and record.message()[:1] in ([3], [4]) else None
        found = address(record.topic, self.prefix) if isinstance(record, BusMessage) else None
        is_answer = found is not None and found.kind == "result" and found.caller == self.module_id
        return f"{ANSWER} {found.peer}/{found.name}" if found is not None and is_answer else None

    # --- out of the trace --------------------------------------------------------------------------------------------

    def _life(self, trace: Trace) -> list[Record]:
        """The records up to the module's second request for its configuration.

        Where others asked a second time before and the module said nothing in between, the whole stack was started
        anew, and the life ended before the manager began to prepare that.
        """
        asked: set[str] = set()
        end: int | None = None
        for index, record in enumerate(trace):
            if says(record, self.module_id, self.prefix):
                end = None
            who = _asking(record, self.prefix)
            if who in asked and end is None:
                end = self._before_start(trace, index)
            if who == self.module_id and who in asked:
                return trace[:end]
            asked |= {who} if who else set()
        return trace

    def _before_start(self, trace: Trace, index: int) -> int:
        """The index of the first of the records before `index` in which no module speaks, but only the manager."""
        while index and isinstance(record := trace[index - 1], BusMessage) and record.topic.startswith(self.prefix):
            if address(record.topic, self.prefix) is not None:
                break
            index -= 1
        return index

    def _start(self) -> float:
        return next((record.t for record in self.life if self.begins(record)), self.life[0].t)

    def _configuration(self) -> dict[str, Any]:
        topic = f"{self.prefix}modules/{self.module_id}/response"
        for record in self.life:
            if isinstance(record, BusMessage) and record.topic == topic:
                found = _module_config(record)
                if found is not None:
                    return found
        raise TraceError(f"the trace does not hold the configuration of {self.module_id}: record from the start on")

    def _interfaces(self, trace: Trace) -> dict[str, str]:
        """`module/implementation` -> interface, as the modules told."""
        found: dict[str, str] = {}
        for record in trace:
            if isinstance(record, BusMessage) and record.topic.endswith("/metadata"):
                module = record.topic.removeprefix(f"{self.prefix}modules/").removesuffix("/metadata")
                data = record.data()
                provides = data.get("provides") if isinstance(data, dict) else None
                for name, entry in provides.items() if isinstance(provides, dict) else ():
                    if isinstance(entry, dict) and "interface" in entry:
                        found[f"{module}/{name}"] = str(entry["interface"])
        return found

    def parameters(self, implementation: str = "!module") -> dict[str, Any]:
        """Name -> value of the module's or one implementation's configuration."""
        entries = self.configuration["module_config"]["configuration_parameters"].get(implementation, [])
        return {entry["name"]: entry["value"] for entry in entries}

    def connections(self) -> dict[str, list[str]]:
        """Requirement -> `module/implementation`, in order."""
        connections: dict[str, list[dict[str, str]]] = self.configuration["module_config"]["connections"]
        return {
            requirement: [f"{peer['module_id']}/{peer['implementation_id']}" for peer in peers]
            for requirement, peers in connections.items()
        }

    def mappings(self) -> dict[str, Any]:
        """Module id -> its mapping, where it has one."""
        return {module: mapping for module, mapping in self.configuration.get("mappings", {}).items() if mapping}

    # --- inputs and answers ------------------------------------------------------------------------------------------

    def frames(self) -> list[Frame]:
        """The module's own frames."""
        return [record for record in self.life if isinstance(record, Frame) and record.module == self.module_id]

    def _is_input(self, record: Record) -> bool:
        if isinstance(record, Frame):
            if record.module != self.module_id:
                return False
            message = record.message()
            is_call = record.direction == RECEIVED and bool(message) and message[0] == 2
            return is_call or record.direction in (CONNECT, DISCONNECT)
        if not isinstance(record, BusMessage):
            return False
        if not record.topic.startswith(self.prefix):
            return not record.topic.startswith(TRACE)
        if record.topic == f"{self.prefix}ready":
            return True
        found = address(record.topic, self.prefix)
        if found is None:
            return False
        if found.module == self.module_id:
            return found.kind == "cmd"
        return found.kind == "error" or (found.kind == "var" and found.peer in self._peers)

    def _collect_answers(self) -> None:
        calls: dict[str, Answer] = {}
        frames: dict[str, Answer] = {}
        for record in self.life:
            if self.begins(record):  # what came before is not played, but given at once to whoever asks
                for answer in self._answered.values():
                    answer.late = True
                self._answered.clear()
            if isinstance(record, Frame):
                if record.module == self.module_id:
                    self._collect_frame(record, frames)
                continue
            found = address(record.topic, self.prefix) if isinstance(record, BusMessage) else None
            if found is None or not isinstance(record, BusMessage) or found.module == self.module_id:
                continue
            data = record.data() if found.kind in ("cmd", "result") else None
            if not isinstance(data, dict):
                continue
            if found.kind == "cmd" and data.get("origin") == self.module_id:
                answers = self.answers[found.peer, found.name]
                calls[str(data.get("id"))] = answers.asked(data.get("args") or {}, record.t)
            elif found.kind == "result" and found.caller == self.module_id and (call_id := _result_id(data)) in calls:
                self._answers(calls.pop(call_id), record, result_of(data))

    def _answers(self, answer: Answer, record: Record, result: Any) -> None:
        answer.came(record, result)
        self._answered[id(record)] = answer

    def _collect_frame(self, record: Frame, calls: dict[str, Answer]) -> None:
        message = record.message()
        if record.direction == SENT and message and message[0] == 2:
            calls[message[1]] = self.csms_answers[message[2]].asked(message[3], record.t)
        elif record.direction == RECEIVED and message and message[0] in (3, 4) and message[1] in calls:
            self._answers(calls.pop(message[1]), record, record.text)


def _result_id(data: dict[str, Any]) -> str:
    result = data.get("data")
    return str(result.get("id")) if isinstance(result, dict) else ""


def attributed(trace: Trace) -> Trace:
    """The trace with every frame given to the module that speaks OCPP, where the recording does not say."""
    if not any(isinstance(record, Frame) and not record.module for record in trace):
        return trace
    prefix = prefix_of(trace)
    speakers = [module for module, name in module_ids(trace, prefix).items() if name in OCPP_MODULES]
    speaker = speakers[0] if speakers else "ocpp"
    return [
        replace(record, module=speaker) if isinstance(record, Frame) and not record.module else record
        for record in trace
    ]


def _asking(record: Record, prefix: str) -> str:
    """The module that asks the manager for its configuration here; empty for any other record."""
    if not isinstance(record, BusMessage) or record.topic != f"{prefix}config/request":
        return ""
    data = record.data()
    request = data.get("request") if isinstance(data, dict) else None
    is_own = isinstance(request, dict) and request.get("type") == "Module"
    return str(data.get("origin", "")) if is_own else ""


def _module_config(record: BusMessage) -> dict[str, Any] | None:
    data = record.data()
    response = data.get("response") if isinstance(data, dict) else None
    if not isinstance(response, dict) or response.get("type") != "Module":
        return None
    found = response.get("data")
    config = found.get("module_config") if isinstance(found, dict) else None
    if isinstance(config, dict) and {"configuration_parameters", "connections"} <= config.keys():
        return cast("dict[str, Any]", found)
    return None


def _find(trace: Trace, prefix: str, module: str) -> str:
    modules = module_ids(trace, prefix)
    if module in modules:
        return module
    named = [module_id for module_id, name in modules.items() if name == module]
    if len(named) == 1:
        return named[0]
    if named:
        raise TraceError(f"the trace holds {len(named)} modules {module}: say which one of {', '.join(named)}")
    raise TraceError(f"the trace holds no module {module}; it holds {', '.join(sorted(modules)) or 'none'}")
