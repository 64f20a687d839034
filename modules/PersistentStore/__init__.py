"""The PersistentStore module (station 7.3): `kvs` on SQLite.

store.py   the module and its implementation   database.py  the table KVS   values.py  value <-> (text, type)
"""

from .store import PersistentStore as module_class

__all__ = ["module_class"]
