"""The tables of the database and how they came to be: numbered migrations, as data.

Table and column names are libocpp's where they fit (libocpp 7). A migration that has been released is never changed; a
new one is appended. `user_version` holds the number of the last one applied, `APPLICATION_ID` marks the file as ours,
since libocpp's own database has the same file name and other columns. Times are ISO 8601 texts, UTC, microseconds.
Must not import: asyncio, anything of ocpp16.
"""

# mypy: allow-untyped-calls
# (the stubs of peewee leave most of it untyped)
from __future__ import annotations

from typing import Any, NamedTuple

from peewee import Table

APPLICATION_ID = 0x4F435036
"""`OCP6` in ASCII, in the SQLite header (pragma application_id)."""


class Migration(NamedTuple):
    number: int
    name: str
    statements: tuple[str, ...]


_QUEUE_COLUMNS = """(
    KEY INTEGER PRIMARY KEY,
    UNIQUE_ID TEXT NOT NULL,
    MESSAGE TEXT NOT NULL,
    MESSAGE_TYPE TEXT NOT NULL,
    MESSAGE_ATTEMPTS INTEGER NOT NULL,
    MESSAGE_TIMESTAMP TEXT NOT NULL,
    SENT INTEGER NOT NULL,
    SESSION_ID TEXT)"""

_AUTHORIZATION_COLUMNS = """(
    SEQUENCE INTEGER PRIMARY KEY AUTOINCREMENT,
    FOLDED_ID_TAG TEXT NOT NULL UNIQUE,
    ID_TAG TEXT NOT NULL,
    AUTH_STATUS TEXT NOT NULL,
    EXPIRY_DATE TEXT,
    PARENT_ID_TAG TEXT)"""

MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        1,
        "first tables",
        (
            "CREATE TABLE CONNECTORS (ID INTEGER PRIMARY KEY, AVAILABILITY TEXT NOT NULL)",
            """CREATE TABLE TRANSACTIONS (
                SEQUENCE INTEGER PRIMARY KEY AUTOINCREMENT,
                ID TEXT NOT NULL UNIQUE,
                INTERNAL_ID INTEGER NOT NULL,
                TRANSACTION_ID INTEGER,
                CONNECTOR INTEGER NOT NULL,
                ID_TAG_START TEXT NOT NULL,
                TIME_START TEXT NOT NULL,
                METER_START INTEGER NOT NULL,
                CSMS_ACK INTEGER NOT NULL,
                METER_LAST INTEGER NOT NULL,
                METER_LAST_TIME TEXT NOT NULL,
                RESERVATION_ID INTEGER,
                PARENT_ID_TAG TEXT,
                ID_TAG_END TEXT,
                TIME_END TEXT,
                METER_STOP INTEGER,
                STOP_REASON TEXT)""",
            "CREATE INDEX TRANSACTIONS_BY_ID ON TRANSACTIONS (TRANSACTION_ID)",
            "CREATE INDEX TRANSACTIONS_BY_ACK ON TRANSACTIONS (CSMS_ACK)",
            """CREATE TABLE TRANSACTION_SAMPLES (
                SEQUENCE INTEGER PRIMARY KEY AUTOINCREMENT, ID TEXT NOT NULL, METER_VALUE TEXT NOT NULL)""",
            "CREATE INDEX TRANSACTION_SAMPLES_BY_ID ON TRANSACTION_SAMPLES (ID)",
            f"CREATE TABLE TRANSACTION_QUEUE {_QUEUE_COLUMNS}",
            f"CREATE TABLE NORMAL_QUEUE {_QUEUE_COLUMNS}",
            """CREATE TABLE DEAD_LETTERS (
                SEQUENCE INTEGER PRIMARY KEY AUTOINCREMENT,
                QUEUE TEXT NOT NULL,
                KEY INTEGER NOT NULL,
                UNIQUE_ID TEXT NOT NULL,
                MESSAGE TEXT NOT NULL,
                MESSAGE_TYPE TEXT NOT NULL,
                MESSAGE_ATTEMPTS INTEGER NOT NULL,
                MESSAGE_TIMESTAMP TEXT NOT NULL,
                SENT INTEGER NOT NULL,
                SESSION_ID TEXT,
                REASON TEXT NOT NULL,
                TIME TEXT NOT NULL)""",
            "CREATE TABLE QUEUE_KEYS (ID INTEGER PRIMARY KEY CHECK (ID = 0), RESERVED INTEGER NOT NULL)",
            "INSERT INTO QUEUE_KEYS (ID, RESERVED) VALUES (0, 0)",
            f"CREATE TABLE AUTH_CACHE {_AUTHORIZATION_COLUMNS}",
            f"CREATE TABLE AUTH_LIST {_AUTHORIZATION_COLUMNS}",
            "CREATE TABLE AUTH_LIST_VERSION (ID INTEGER PRIMARY KEY CHECK (ID = 0), VERSION INTEGER NOT NULL)",
            "INSERT INTO AUTH_LIST_VERSION (ID, VERSION) VALUES (0, 0)",
        ),
    ),
    Migration(
        2,
        "the energy left to a refused id tag",
        ("ALTER TABLE TRANSACTIONS ADD COLUMN PAUSE_AT INTEGER",),
    ),
)

_QUEUE = (
    "KEY",
    "UNIQUE_ID",
    "MESSAGE",
    "MESSAGE_TYPE",
    "MESSAGE_ATTEMPTS",
    "MESSAGE_TIMESTAMP",
    "SENT",
    "SESSION_ID",
)
_AUTHORIZATION = ("SEQUENCE", "FOLDED_ID_TAG", "ID_TAG", "AUTH_STATUS", "EXPIRY_DATE", "PARENT_ID_TAG")

# Columns are attributes of a table, made at run time: hence Any.
CONNECTORS: Any = Table("CONNECTORS", ("ID", "AVAILABILITY"))
TRANSACTIONS: Any = Table(
    "TRANSACTIONS",
    (
        "SEQUENCE",
        "ID",
        "INTERNAL_ID",
        "TRANSACTION_ID",
        "CONNECTOR",
        "ID_TAG_START",
        "TIME_START",
        "METER_START",
        "CSMS_ACK",
        "METER_LAST",
        "METER_LAST_TIME",
        "RESERVATION_ID",
        "PARENT_ID_TAG",
        "ID_TAG_END",
        "TIME_END",
        "METER_STOP",
        "STOP_REASON",
        "PAUSE_AT",
    ),
)
TRANSACTION_SAMPLES: Any = Table("TRANSACTION_SAMPLES", ("SEQUENCE", "ID", "METER_VALUE"))
TRANSACTION_QUEUE: Any = Table("TRANSACTION_QUEUE", _QUEUE)
NORMAL_QUEUE: Any = Table("NORMAL_QUEUE", _QUEUE)
DEAD_LETTERS: Any = Table("DEAD_LETTERS", ("SEQUENCE", "QUEUE", *_QUEUE, "REASON", "TIME"))
QUEUE_KEYS: Any = Table("QUEUE_KEYS", ("ID", "RESERVED"))
AUTH_CACHE: Any = Table("AUTH_CACHE", _AUTHORIZATION)
AUTH_LIST: Any = Table("AUTH_LIST", _AUTHORIZATION)
AUTH_LIST_VERSION: Any = Table("AUTH_LIST_VERSION", ("ID", "VERSION"))
