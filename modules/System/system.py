"""The module class of System and its commands (station 5.1).

Lives here: composition, start and end, reset, and the commands that are one line. Flows are in `firmware.py` and
`log_upload.py`.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from everest.contracts.interfaces.kvs import KvsClient
from everest.contracts.interfaces.system import SystemImplementation
from everest.contracts.types.network import (
    ConfigureNetworkRequest,
    ConfigureNetworkResponse,
    ConfigureNetworkStatusEnum,
)
from everest.contracts.types.system import (
    BootReason,
    FirmwareUpdateRequest,
    ResetType,
    UpdateFirmwareResponse,
    UploadLogsRequest,
    UploadLogsResponse,
)
from everest.runtime import Module, ModuleContext

from .boot_reason import BootReasonStore
from .firmware import FirmwareUpdater
from .host import Host
from .log_upload import LogUploader
from .plan import Plans
from .transfer import Limits, NetworkTransfer
from .workspace import Workspace, writable

log = logging.getLogger(__name__)


class SystemMain(SystemImplementation):
    """Implementation `main`."""

    def __init__(self, system: System) -> None:
        super().__init__()
        self._system = system

    async def update_firmware(self, firmware_update_request: FirmwareUpdateRequest) -> UpdateFirmwareResponse:
        """Station 5.2, 5.3."""
        return await self._system.firmware.update(firmware_update_request)

    async def allow_firmware_installation(self) -> None:
        """Nothing waits for it (station 5.1)."""

    async def upload_logs(self, upload_logs_request: UploadLogsRequest) -> UploadLogsResponse:
        """Station 5.4."""
        return self._system.logs.upload(upload_logs_request)

    async def is_reset_allowed(self, type: ResetType) -> bool:
        """Always."""
        return True

    async def reset(self, type: ResetType, scheduled: bool) -> None:
        """Answers at once; a task of its own ends the module, and with it the stack."""
        self._system.spawn(self._system.reset(type), name="reset")

    async def set_system_time(self, timestamp: str) -> bool:
        """True, and nothing is done (station 5.1): the clock belongs to the machine."""
        return True

    async def get_boot_reason(self) -> BootReason:
        """The reason is told once."""
        return await self._system.boot_reason.take()

    async def configure_network(self, request: ConfigureNetworkRequest) -> ConfigureNetworkResponse:
        """Not supported (station 5.1)."""
        return ConfigureNetworkResponse(status=ConfigureNetworkStatusEnum.NotSupported)


class System(Module):
    """Composition."""

    def __init__(self, context: ModuleContext) -> None:
        super().__init__(context)
        self.boot_reason = BootReasonStore(self.optional_connection("store", KvsClient))
        state, folder = (str(self.config[key]) for key in ("StatePath", "LogPath"))
        self.host = Host(
            transfer=NetworkTransfer(self._limits()),
            spawn=self.spawn,
            now=self.clock.now,
            default_retries=float(self.config["DefaultRetries"]),
            default_interval=float(self.config["DefaultRetryInterval"]),
            workspace=Workspace(f"{Path.cwd()} {self.info.id}", writable(Path(state)) if state else None),
        )
        main = SystemMain(self)
        self._plans = Plans(Path(state) / f"firmware_update_{self.info.id}.json" if state else None)
        self.firmware = FirmwareUpdater(
            self.host,
            main.publish_firmware_update_status,
            plans=self._plans,
            installed=self.boot_reason.firmware_updated,
            reset=self._reset_after_update if self.config["ResetAfterUpdate"] else None,
        )
        self.logs = LogUploader(
            self.host,
            main.publish_log_status,
            folder=Path(folder) if folder else None,
            module=self.info.id,
        )
        self.provide("main", main)

    async def init(self) -> None:
        """See what transfers of earlier lives left, before a command adds to it."""
        self._leftovers = self.host.workspace.leftovers()

    async def ready(self) -> None:
        """Go on where an earlier life was cut off. Everybody who wants to hear of it listens by now."""
        await self.firmware.restore(self._leftovers)

    async def shutdown(self) -> None:
        """Let go of the transfers and of their folder."""
        await self.firmware.close()
        await self.logs.close()
        self._plans.close()
        self.host.workspace.close()

    def _limits(self) -> Limits:
        def path(key: str) -> Path | None:
            return Path(str(self.config[key])) if self.config[key] else None

        return Limits(
            deadline=float(self.config["TransferTimeout"]),
            max_bytes=int(float(self.config["MaxDownloadMB"]) * 1e6),
            ca_file=path("CaFile"),
            known_hosts=path("KnownHostsFile"),
        )

    async def _reset_after_update(self) -> None:
        await self.reset(ResetType.Hard)

    async def reset(self, type: ResetType) -> None:
        """Store the boot reason, wait `ResetDelay`, end this module: the manager then ends the station (station
        9.11).
        """
        log.info("%s reset requested", type.value)
        await self.boot_reason.reset_requested()
        await asyncio.sleep(float(self.config["ResetDelay"]))
        self.request_exit(0)
