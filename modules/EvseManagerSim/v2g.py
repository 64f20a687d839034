"""What car and EVSE agree on by ISO 15118, as far as it shows outside (station 4.1, 4.4). Pure state and rules.

The car asks (`request`), looks whether it may draw power (`authorized`) and ends it; the EVSE hears what Auth said
(`accepted`, `refused`). Who plays the messages between them is hlc.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from logging import getLogger

from everest.contracts.types.authorization import AuthorizationType
from everest.contracts.types.evse_manager import PlugAndChargeConfiguration

from .commands import AMOUNT, DEPARTURE, shown

log = getLogger(__name__)


class Payment(StrEnum):
    """Payment options; `auto` only as a wish of the car."""

    auto = "auto"
    externalpayment = "externalpayment"
    contract = "contract"


@dataclass(frozen=True)
class Wish:
    """iso_start_v2g_session: mode `ac` or `dc`, payment, and what the driver needs."""

    mode: str
    payment: Payment = Payment.auto
    departure_s: int | None = None
    amount_Wh: float | None = None


def parse_wish(arguments: tuple[str, ...]) -> Wish | None:
    """Forms of station 3.3; None: the mode is unknown. Errors: ValueError for a departure or amount that is none."""
    mode, *rest = arguments
    if mode not in ("ac", "dc"):
        return None
    payment = Payment.auto
    if len(rest) in (1, 3):
        word = rest.pop(0)
        if word in Payment.__members__:
            payment = Payment(word)
        else:
            log.warning("iso_start_v2g_session: payment %r is not one of %s; auto", shown(word), ", ".join(Payment))
    departure, amount = rest or ("", "")
    departure_s = int(DEPARTURE.read(departure)) if departure else None
    return Wish(mode, payment, departure_s, AMOUNT.read(amount) if amount else None)


@dataclass(frozen=True)
class Offer:
    """Switches of the session set-up: what the EVSE offers to cars."""

    eim: bool = True
    pnc: bool = True
    central_validation: bool = False
    installation: bool = True

    def changed(self, wish: PlugAndChargeConfiguration) -> Offer:
        """With the flags that are given (station 2.9)."""
        flags = {
            "pnc": wish.pnc_enabled,
            "central_validation": wish.central_contract_validation_allowed,
            "installation": wish.contract_certificate_installation_enabled,
        }
        return replace(self, **{name: flag for name, flag in flags.items() if flag is not None})


def choose(wish: Payment, *, offered: frozenset[Payment], has_contract: bool, forced: bool = False) -> Payment | None:
    """The payment option that the car selects of those offered; None: it finds none. A `forced` wish takes no other."""
    if wish is Payment.auto:
        preferred = Payment.contract if has_contract else Payment.externalpayment
    else:
        preferred = wish
    if preferred in offered:
        return preferred
    if forced and wish is not Payment.auto:
        return None
    return next(iter(offered), None)


class V2G:
    """The session between car and EVSE. `is_authorized` tells whether the EVSE's session is, by whatever token,
    `gives_power` whether it is ready to.

    `started(wish)`, `paused()` and `ended()` are called when a V2G session begins, sleeps and is over, `begun()` when
    its charge loop does, `news()` when Auth said something or the plug moved, `matched()` when car and EVSE found each
    other (SLAC).
    """

    def __init__(
        self, offer: Offer, is_authorized: Callable[[], bool], gives_power: Callable[[], bool] = lambda: True
    ) -> None:
        self._is_authorized = is_authorized
        self._gives_power = gives_power
        self._next_offer = offer
        self.offer = offer
        """What holds since the last session set-up."""
        self.started: Callable[[Wish], None] = lambda wish: None
        self.ended: Callable[[], None] = lambda: None
        self.news: Callable[[], None] = lambda: None
        self.paused: Callable[[], None] = lambda: None
        self.matched: Callable[[], None] = lambda: None
        self.begun: Callable[[], None] = lambda: None
        self.active = False
        """The car has asked for a session that is not over."""
        self.authorized = False
        """The EVSE told the car that it may charge."""
        self.charging = False
        """The car has begun its charge loop."""
        self._matched = False
        self.waiting_for_pnc = False
        """A contract was handed to Auth: other tokens do not count."""
        self.by_pnc = False
        """The running session of the EVSE was authorized by its contract."""
        self.is_refused = False
        """Auth refused it, or there was no authorization in time."""

    # --- the car

    def request(self, wish: Wish) -> None:
        self.end()
        self.active = True
        self.is_refused = False
        self.started(wish)

    def match(self) -> None:
        """Car and EVSE found each other (SLAC)."""
        self._matched = True
        self.matched()

    @property
    def talks(self) -> bool:
        """They found each other, and their dialogue is not over."""
        return self._matched or self.active

    def begin_charging(self) -> bool:
        """The car begins its charge loop, if it may. True once the EVSE gives power."""
        if self.authorized and not self.charging:
            self.charging = True
            self.begun()
        return self.charging and self._gives_power()

    def pause(self) -> None:
        """The car ends it for now; it will wake the EVSE and ask anew."""
        if self.authorized:
            self.paused()
        self.end()

    def end(self) -> None:
        """The V2G session is over, by either side."""
        self._matched = False
        if self.active:
            self.active = self.authorized = self.charging = self.waiting_for_pnc = False
            self.ended()

    # --- the EVSE

    def configure(self, wish: PlugAndChargeConfiguration) -> None:
        """set_plug_and_charge_configuration: counts from the next session set-up on."""
        self._next_offer = self._next_offer.changed(wish)

    def set_up(self, *, session: bool) -> None:
        """A session of the EVSE began, or (session False) ended (station 4.1 step 1)."""
        self.offer = self._next_offer
        self.by_pnc = self.by_pnc and session

    def plug_changed(self) -> None:
        """Plug in and unplug."""
        self.waiting_for_pnc = False
        self.news()

    @property
    def offered(self) -> frozenset[Payment]:
        """Payment options for the car: a contract only while nothing else has authorized the session."""
        contract = self.offer.pnc and (self.by_pnc or not self._is_authorized())
        found = ((Payment.contract, contract), (Payment.externalpayment, self.offer.eim or self._is_authorized()))
        return frozenset(payment for payment, holds in found if holds)

    def takes(self, kind: AuthorizationType) -> bool:
        """Whether an accepted token of this kind counts now."""
        return not self.waiting_for_pnc or kind is AuthorizationType.PlugAndCharge

    def accepted(self, kind: AuthorizationType) -> None:
        """Auth accepted a token, and it counted."""
        self.by_pnc = kind is AuthorizationType.PlugAndCharge
        self.waiting_for_pnc = False
        self.offer = self._next_offer  # station 4.1: Authorized sets up anew
        self.news()

    def refused(self) -> None:
        """Auth refused the contract, or nobody authorized in time: the V2G session fails, the EVSE's goes on."""
        self.waiting_for_pnc = False
        self.is_refused = True
        self.news()
