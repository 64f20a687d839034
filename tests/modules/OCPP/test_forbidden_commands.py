"""Orders whose bus command the interface forbids."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from everest.runtime import ApiError
from modules.OCPP.orders import Orders


async def test_a_connection_timeout_that_auth_may_not_be_given_is_told_with_value_and_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def refused(seconds: int) -> None:
        raise ApiError("ocpp->auth: set_connection_timeout cannot be called: 5 is less than the minimum of 10")

    module = SimpleNamespace(auth=SimpleNamespace(set_connection_timeout=refused))
    await Orders(cast(Any, module)).forward_configuration("ConnectionTimeOut", "5")
    assert "set_connection_timeout of 5 s" in caplog.text and "less than the minimum of 10" in caplog.text
