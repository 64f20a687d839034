"""A charge point without any bus: boots, reports its connectors, sends heartbeats, obeys its CSMS."""

import asyncio

from ocpp16 import ChargePoint


async def main() -> None:
    async with ChargePoint("config.json", database_path="state", message_log_path="state") as charge_point:
        charge_point.register_stop_transaction_callback(lambda connector, reason: connector > 0)
        await charge_point.start()
        await asyncio.Event().wait()


asyncio.run(main())
