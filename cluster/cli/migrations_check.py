"""`python -m cluster.cli.migrations_check`: migrates an empty database and compares it with the models."""

import importlib
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from cluster.services.postgres import EmbeddedPostgres


def main() -> int:
    """0 when they agree. Uses a Postgres of its own that is gone afterwards."""
    # By name: this room imports nothing of ours.
    migrate = importlib.import_module("db.migrate")
    home = Path(tempfile.mkdtemp(prefix="mobula-check-"))
    home.chmod(0o755)  # as root the server runs as another user, who must reach its data
    server = EmbeddedPostgres(home / "data", password=secrets.token_urlsafe(16), options={"fsync": "off"})
    try:
        server.start()
        migrate.upgrade(server.dsn)
        migrate.check(server.dsn)
    except Exception as problem:
        print(f"models and migrations differ: {problem}\n./mobula migrate new says what would be added")
        return 1
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
