"""The migrations of the records, run by alembic: see ``cds_service.records.database.migrate``.

A new one: ``alembic`` has no ini file here; copy the newest of ``versions/``, give it the next number, name its
predecessor, and set ``HEAD`` in ``cds_service/records/tables.py``. A test compares the outcome with the tables.
"""
