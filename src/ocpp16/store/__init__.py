"""What must survive a power cut: `SqliteStore` on disk and `MemoryStore` for tests, both `ocpp16.ports.Store`.

The rows and the changes are in `rows.py`. Import the stores from their files (`ocpp16.store.sqlite`,
`ocpp16.store.memory`), so that the rows can be imported without a database.
"""
