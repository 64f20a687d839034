"""A station in ten lines: one charging session against a CSMS, without any bus.

Run it from the checkout: python examples/charge_point.py ws://127.0.0.1:9000 /tmp/station
"""

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from ocpp16 import ChargePoint, Configuration
from ocpp16.messages import BootNotificationResponse, Reason

CONFIGURATION = Path(__file__).parent.parent / "config" / "ocpp" / "config-sil.json"


async def main(csms: str, folder: Path) -> None:
    base = json.loads(CONFIGURATION.read_text())
    base["Internal"]["CentralSystemURI"] = csms
    async with ChargePoint(Configuration.load(base), database_path=folder, message_log_path=folder) as charge_point:
        booted = asyncio.Event()

        async def on_boot(response: BootNotificationResponse) -> None:
            booted.set()

        charge_point.register_boot_notification_response_callback(on_boot)
        await charge_point.start()
        await booted.wait()
        print("tag:", (await charge_point.authorize_id_token("DEADBEEF")).id_tag_info.status)
        await charge_point.on_session_started(1, "session-1", "EVConnected")
        await charge_point.on_transaction_started(1, "session-1", "DEADBEEF", meter_start=0)
        await charge_point.on_resume_charging(1)
        await charge_point.on_transaction_stopped(1, "session-1", Reason.Local, datetime.now(UTC), 2500)
        await charge_point.on_session_stopped(1, "session-1")
        while await charge_point.open_transactions():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        print("the CSMS has acknowledged the transaction")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python examples/charge_point.py ws://host:port/path FOLDER")
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
