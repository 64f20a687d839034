"""The car stays plugged in over a restart where `keep_cross_boot_plugin_state` says so (station 3.1, 7.3).

Remembers whether a car is plugged in and the command list that plugged it in, under EvManager's keys.
"""

from __future__ import annotations

from .register import Register


class PlugMemory:
    """`register` None: nothing is kept, the car starts unplugged."""

    def __init__(self, register: Register | None, module_id: str) -> None:
        self._register = register
        self._plugged_key = f"EvManager_{module_id}_simulated_already_plugged_in"
        self._command_key = f"EvManager_{module_id}_simulated_plugged_in_command"
        self._command = ""
        self._plugged: bool | None = None

    def commands(self, text: str) -> None:
        """A command list was taken."""
        self._command = text

    async def recall(self) -> str | None:
        """The list that plugged the car in before the restart; None if there was no car."""
        if self._register is None or await self._register.load(self._plugged_key) is not True:
            return None
        command = await self._register.load(self._command_key)
        return command if isinstance(command, str) and command else None

    async def plugged(self, plugged: bool) -> None:
        """Where the plug is now; stored when it moved."""
        if self._register is None or plugged == self._plugged:
            return
        first, self._plugged = self._plugged is None, plugged
        if plugged:
            await self._register.store(self._command_key, self._command)
        if plugged or not first:
            await self._register.store(self._plugged_key, plugged)
