"""`python -m db.seed`: the same as `./mobula seed`."""

import argparse
import sys

from cluster.settings import Settings, get_settings
from db.seed.command import demo_accounts, seed
from db.seed.scales import SCALES


def main(argv: list[str] | None = None) -> int:
    """Read arguments, seed the configured database, say what happened."""
    parser = argparse.ArgumentParser(prog="python -m db.seed", description="Fill the database with demo data.")
    parser.add_argument("--scale", choices=sorted(SCALES), default="small")
    parser.add_argument("--fresh", action="store_true", help="delete all business data first")
    parser.add_argument("--refuse-demo", action="store_true", help="seed nothing; fail when a demo account can sign in")
    arguments = parser.parse_args(argv)
    settings = get_settings()
    if arguments.refuse_demo:
        return _refuse_demo(settings)
    if settings.environment == "production":
        sys.stderr.write("seeding is for development: ENVIRONMENT is production\n")
        return 1
    try:
        url = settings.asyncpg_dsn
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    report = seed(url, arguments.scale, fresh=arguments.fresh, progress=lambda line: sys.stderr.write(line + "\n"))
    sys.stdout.write(report.summary + "\n")
    return 0


def _refuse_demo(settings: Settings) -> int:
    found = demo_accounts(settings.asyncpg_dsn)
    if found:
        sys.stderr.write(
            f"this database has demo accounts that can sign in ({', '.join(found)}): deactivate or delete them in "
            "development, or start with another database\n"
        )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
