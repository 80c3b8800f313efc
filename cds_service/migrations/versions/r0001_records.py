"""Calls, determinations, cards, feedback, seen tokens, policy files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "calls",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=False, nullable=False),
        sa.Column("call_id", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("hook", sa.String, nullable=False),
        sa.Column("service_id", sa.String, nullable=False),
        sa.Column("hook_instance", sa.String, nullable=False),
        sa.Column("client", sa.String, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("duration_ms", sa.Float, nullable=False),
        sa.Column("crd_version", sa.String, nullable=False),
        sa.Column("software_version", sa.String, nullable=False),
        sa.Column("assertions", sa.Integer, nullable=False),
        sa.Column("key_id", sa.String, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_calls"),
    )
    op.create_index("ix_calls_hook_instance", "calls", ["hook_instance"])
    op.create_table(
        "determinations",
        sa.Column("call", sa.BigInteger, sa.ForeignKey("calls.id", ondelete="CASCADE"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("policy", sa.String, nullable=False),
        sa.Column("policy_versions", sa.String, nullable=False),
        sa.Column("answer", sa.String, nullable=False),
        sa.Column("rule", sa.String, nullable=False),
        sa.Column("covered", sa.String),
        sa.Column("assertion_id", sa.String),
        sa.PrimaryKeyConstraint("call", "number", name="pk_determinations"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_determinations_assertion_id", "determinations", ["assertion_id"])
    op.create_table(
        "cards",
        sa.Column("call", sa.BigInteger, sa.ForeignKey("calls.id", ondelete="CASCADE"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("card", sa.String, nullable=False),
        sa.Column("policy", sa.String, nullable=False),
        sa.Column("answer", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("call", "number", name="pk_cards"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_cards_card", "cards", ["card"])
    _make_feedback_tokens_and_policies()


def _make_feedback_tokens_and_policies() -> None:
    op.create_table(
        "feedback",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("client", sa.String, nullable=False),
        sa.Column("service_id", sa.String, nullable=False),
        sa.Column("card", sa.String, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("outcome_at", sa.BigInteger, nullable=False),
        sa.Column("reason_code", sa.String),
        sa.Column("key_id", sa.String, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
    )
    op.create_index("ix_feedback_card", "feedback", ["card"])
    op.create_table(
        "seen_tokens",
        sa.Column("token", sa.LargeBinary(32), nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("token", name="pk_seen_tokens"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_seen_tokens_expires", "seen_tokens", ["expires"])
    op.create_table(
        "policies",
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("policy", sa.String, nullable=False),
        sa.Column("first_used", sa.BigInteger, nullable=False),
        sa.Column("file", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_policies"),
    )


def downgrade() -> None:
    """Refuse: going back would drop what must be kept (CRD found-11, found-37)."""
    raise NotImplementedError("the first revision cannot be undone; remove the database itself")
