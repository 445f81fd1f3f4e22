"""All commands, in the order in which `./mobula --help` shows them."""

import io
import os
import sys

import typer

from cluster.cli import admin, backups, data, fuzzing, looking, measuring, node, quality, testing, up
from cluster.cli.printing import fail
from cluster.cli.setup import home
from cluster.services import libpq
from cluster.stack.problems import sentence
from cluster.stack.runner import EXPECTED

app = typer.Typer(
    name="mobula",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Mobula: an actor-based realtime backend on Ray, with a Next.js front end.",
)

_PASSES_ON = {"allow_extra_args": True, "ignore_unknown_options": True}

app.command()(up.up)
app.command()(up.down)
app.command()(looking.status)
app.command()(looking.logs)
app.command()(looking.doctor)
app.command()(up.dev)
app.command()(up.redeploy)
app.command()(up.shards)
app.command()(node.node)
app.command("test")(testing.run_tests)
app.command()(fuzzing.fuzz)
app.command()(quality.check)
app.command()(quality.fix)
app.add_typer(data.migrate, name="migrate")
app.command()(data.seed)
app.command()(backups.backup)
app.command()(backups.restore)
app.command()(admin.admin)
app.command(context_settings=_PASSES_ON)(data.psql)
app.command(context_settings=_PASSES_ON)(data.valkey)
app.command(context_settings=_PASSES_ON)(measuring.load)
app.command(context_settings=_PASSES_ON)(measuring.bench)
app.command()(quality.lock)
app.command()(quality.hooks)


def main() -> int:
    """Run the command line. Expected problems are sentences, not tracebacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal of 8 bits has no ✓, which ends no start
    # Every process of ours has this one's environment.
    libpq.forget_foreign(os.environ)
    try:
        app(prog_name="./mobula")
    except EXPECTED as problem:
        fail(sentence(problem, home()))
        return 1
    except KeyboardInterrupt:
        return 130
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else int(bool(ending.code))
    return 0


if __name__ == "__main__":
    sys.exit(main())
