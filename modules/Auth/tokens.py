"""The rules of token handling (station 1.4, 1.5) as pure functions over the station's state.

Lives here: who is in process, whose swipe stops what, early refusal, selection of an EVSE, what a merged result
becomes. The flow that walks these steps in order is `token_handler.py`.
May not be imported here: asyncio, everest.runtime.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from everest.contracts.types.authorization import (
    AuthorizationStatus,
    AuthorizationType,
    IdToken,
    ProvidedIdToken,
    ValidationResult,
)

from .reservations import ReservationBook, same_id
from .states import Evse, Identifier, StationState


class SelectionAlgorithm(StrEnum):
    """How an EVSE is chosen where a token could mean several (station 1.5)."""

    FindFirst = "FindFirst"
    PlugEvents = "PlugEvents"
    PlugEventsLIFO = "PlugEventsLIFO"
    UserInput = "UserInput"


WAITING = frozenset({SelectionAlgorithm.PlugEvents, SelectionAlgorithm.PlugEventsLIFO})
"""Algorithms that wait for a plug in."""


def same_token(one: IdToken, other: IdToken) -> bool:
    """Equal value without regard to case, and equal type."""
    return same_id(one.value, other.value) and one.type == other.type


def is_in_process(token: ProvidedIdToken, handled: Iterable[str], referenced: Iterable[Evse]) -> bool:
    """Step 1: the same token value is being handled, or waits at a referenced EVSE for its transaction."""
    if token.id_token.value in handled:
        return True
    return any(
        evse.identifier is not None
        and not evse.transaction_active
        and same_token(evse.identifier.id_token, token.id_token)
        for evse in referenced
    )


def is_identifier(identifier: Identifier, value: str) -> bool:
    """Whether `value` is the identifier's value or its parent id's value."""
    parent = identifier.parent_id_token
    return same_id(identifier.id_token.value, value) or (parent is not None and same_id(parent.value, value))


def used_at(referenced: Iterable[Evse], value: str) -> Evse | None:
    """The first referenced EVSE whose identifier is `value` by itself or by its parent id."""
    return next((e for e in referenced if e.identifier is not None and is_identifier(e.identifier, value)), None)


def stopped_by_swipe(token: ProvidedIdToken, referenced: Iterable[Evse]) -> Evse | None:
    """Step 3: the EVSE that this swipe stops; only RFID tokens stop without validation."""
    if token.authorization_type != AuthorizationType.RFID:
        return None
    return used_at(referenced, token.id_token.value)


def is_refused_early(
    token: ProvidedIdToken, referenced: Sequence[Evse], book: ReservationBook, master_pass_group_id: str
) -> bool:
    """Step 4: nothing a validator could say would help."""
    if not any(evse.available for evse in referenced):
        has_parent = any(evse.identifier is not None and evse.identifier.parent_id_token for evse in referenced)
        return not has_parent and not master_pass_group_id
    return all(_is_reserved_for_others(token, evse, book) for evse in referenced)


def _is_reserved_for_others(token: ProvidedIdToken, evse: Evse, book: ReservationBook) -> bool:
    if book.leaves_room_at(evse.id) or book.has_parent(evse.id):
        return False
    return book.match(evse.id, token.id_token.value, None) is None


def prevalidated_result(token: ProvidedIdToken) -> ValidationResult:
    """Step 5: the one result of a token that is prevalidated."""
    return ValidationResult(
        authorization_status=AuthorizationStatus.Accepted, tariff_messages=[], parent_id_token=token.parent_id_token
    )


def accepted(results: Iterable[ValidationResult]) -> list[ValidationResult]:
    """The accepted results, in validator order."""
    return [result for result in results if result.authorization_status == AuthorizationStatus.Accepted]


def with_parent(token: ProvidedIdToken, result: ValidationResult) -> ProvidedIdToken:
    """The token with the parent id its validation gave."""
    if result.parent_id_token is None:
        return token
    return msgspec.structs.replace(token, parent_id_token=result.parent_id_token)


def at_evse(token: ProvidedIdToken, evse_id: int, parent: IdToken | None = None) -> ProvidedIdToken:
    """The token with `connectors` = [EVSE] and, where there is one, the parent id of the identifier there."""
    found = parent if parent is not None else token.parent_id_token
    return msgspec.structs.replace(token, connectors=[evse_id], parent_id_token=found)


def is_master_pass(parent: IdToken | None, master_pass_group_id: str) -> bool:
    """Whether the parent id is the master pass group; an empty group id switches the master pass off."""
    return bool(master_pass_group_id) and parent is not None and same_id(parent.value, master_pass_group_id)


def select_at_once(candidates: Sequence[Evse], station: StationState, algorithm: SelectionAlgorithm) -> Evse | None:
    """Station 1.5 without its waiting: the EVSE that can be chosen now, or None. UserInput never chooses."""
    if len(candidates) == 1:
        return candidates[0]
    by_id = {evse.id: evse for evse in candidates}
    pending = [by_id[id] for id in station.plug_in_queue if id in by_id]
    match algorithm:
        case SelectionAlgorithm.PlugEvents:
            return pending[0] if pending else None
        case SelectionAlgorithm.PlugEventsLIFO:
            return pending[-1] if pending else None
        case SelectionAlgorithm.FindFirst:
            if pending and not pending[0].transaction_active:
                return pending[0]
            return next((evse for evse in candidates if evse.available), None)
        case SelectionAlgorithm.UserInput:
            return None


def judge(
    result: ValidationResult, token: ProvidedIdToken, evse: Evse, candidates: Sequence[Evse], book: ReservationBook
) -> ValidationResult:
    """Step 9 for the selected EVSE: the result as the EVSE gets it; still Accepted means authorized.

    A reservation that the token may use is named in `reservation_id`; the caller takes it out of the book.
    """
    if result.evse_ids and not set(result.evse_ids) & {candidate.id for candidate in candidates}:
        return msgspec.structs.replace(result, authorization_status=AuthorizationStatus.NotAtThisLocation)
    parent = result.parent_id_token.value if result.parent_id_token is not None else None
    reservation_id = book.match(evse.id, token.id_token.value, parent)
    if reservation_id is not None:
        return msgspec.structs.replace(result, reservation_id=reservation_id)
    if not book.leaves_room_at(evse.id):
        return msgspec.structs.replace(result, authorization_status=AuthorizationStatus.NotAtThisTime)
    return result


def identifier_of(token: ProvidedIdToken, result: ValidationResult) -> Identifier:
    """What an EVSE remembers of an accepted token."""
    return Identifier(
        id_token=token.id_token,
        authorization_type=token.authorization_type,
        status=result.authorization_status,
        parent_id_token=result.parent_id_token,
        expiry_time=result.expiry_time,
    )


def token_of(identifier: Identifier, evse_id: int) -> ProvidedIdToken:
    """The token as it can be told from the identifier of an EVSE."""
    return ProvidedIdToken(
        id_token=identifier.id_token,
        authorization_type=identifier.authorization_type,
        connectors=[evse_id],
        parent_id_token=identifier.parent_id_token,
    )
