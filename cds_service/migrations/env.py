"""Run by alembic within the transaction that ``cds_service.records.database.migrate`` opened."""

from __future__ import annotations

from alembic import context

from cds_service.records.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
