"""Parts of exports that several jobs write.

Revision ID: 0020_export_parts
Revises: 0019_job_keys
"""

from alembic import op

revision = "0020_export_parts"
down_revision = "0019_job_keys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE app.exports ADD COLUMN part_job_ids uuid[] NOT NULL DEFAULT '{}'::uuid[]")
    op.execute(
        """
        CREATE TABLE app.export_parts (
            export_id uuid NOT NULL
                CONSTRAINT fk_export_parts_export_id REFERENCES app.exports (id) ON DELETE CASCADE,
            number integer NOT NULL,
            run text NOT NULL,
            first_block bigint NOT NULL,
            end_block bigint NOT NULL,
            job_id uuid,
            name text,
            rows bigint,
            bytes bigint,
            sha256 text,
            CONSTRAINT pk_export_parts PRIMARY KEY (export_id, number)
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE app.export_parts")
    op.execute("ALTER TABLE app.exports DROP COLUMN part_job_ids")
