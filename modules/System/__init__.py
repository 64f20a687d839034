"""The System module (station 5): the station as a machine.

system.py    the module and its commands        boot_reason.py  why it started, over the kvs store
firmware.py  the flow of a firmware update      log_upload.py   the flow of a log upload
plan.py      what outlives a restart of it      workspace.py    the folder of temporary files
transfer.py  http(s), ftp(s) and sftp transfers locations.py    what a location says (pure)
blocking.py  threads that can be cut short
archive.py   the archive that is uploaded       chance.py       the one place with randomness
"""

from .system import System as module_class

__all__ = ["module_class"]
