"""Starts everything, overlapping what can overlap; watches it; stops it in the right order.

Light on purpose: it imports neither Ray nor the applications, and sleeps most of the time.
"""

import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cluster import names, ports, secrets
from cluster.outward import sends_mail
from cluster.ray_runtime import processes
from cluster.ray_runtime.head import RayHead
from cluster.services.errors import ServiceError
from cluster.services.process import turn_over
from cluster.stack import applications, budget, checks, daemon_state, external, frontend
from cluster.stack.applications import Deployment
from cluster.stack.plan import PRODUCTION, Plan
from cluster.stack.problems import sentence
from cluster.stack.progress import Progress
from cluster.stack.waiting import wait_for

WATCH_S = 0.5
READY_LIMIT_S = 120.0

DAEMON_LOG = "daemon.log"
"""What a detached supervisor says."""

APPENDED_LOGS = ("postgres.log", "valkey.log", "frontend.log", "gcs.log", DAEMON_LOG)
"""Of what runs as long as the stack, and writes as long as that."""

CRASH_LOOP = (5, 60.0)
"""More restarts of one part than this in so many seconds: it is left alone, and `status` says so."""


class Stack:
    """One running Mobula."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self.plan = plan
        self._progress = progress
        self._stopping = threading.Event()
        self._head = RayHead(plan.settings, plan.paths, plan.ports, plan.env)
        self._frontend = frontend.Frontend(plan.paths, plan.ports, plan.env) if plan.options.frontend else None
        self._deployment: Deployment | None = None
        self._applications_wanted = False
        """Ray was started anew, and the applications do not run on it yet."""
        self._database = ""
        """Which database this is (`ExternalPostgres.identity`)."""
        self._demo = False
        """Demo accounts are in it."""
        self._state = "starting"
        self._restarts: dict[str, list[float]] = {}
        self._last_status: dict[str, Any] = {}

    def start(self) -> None:
        """Start everything. Raises ServiceError (or what the checks raise) with a message for people."""
        self._check()
        self._write_status()
        if self.plan.options.fresh:
            self._wipe()
        with ThreadPoolExecutor(6, thread_name_prefix="start") as pool:
            deployment = self._deployment = Deployment(self.plan.env, self.plan.paths.logs / "deploy.log")
            database = pool.submit(self._start_postgres)
            parts: list[Future[None]] = [pool.submit(self._start_valkey), pool.submit(self._start_ray)]
            page = pool.submit(self._start_frontend)
            try:
                database.result()
                migrated = pool.submit(self._migrate)
                for part in (*parts, migrated):
                    part.result()
                demo = pool.submit(self._seed)
                self._deploy(deployment)
                demo.result()
                page.result()
            except BaseException:
                # End what the other threads wait for (npm, alembic, Ray), so that they end too.
                self._stopping.set()
                deployment.cancel()
                processes.end_all(self.plan.paths, gentle_s=2.0)
                raise
        self._state = "ready"
        self._write_status()
        self._progress.end("ready")

    def watch(self) -> None:
        """Bring back what dies, until `request_stop()`."""
        while not self._stopping.wait(WATCH_S):
            self._look_after()
            self._write_status()
            for name in APPENDED_LOGS:
                turn_over(self.plan.paths.logs / name)

    def request_stop(self) -> None:
        """Make `watch` return, also while it deploys again; safe in a signal handler."""
        self._stopping.set()
        if self._deployment is not None:
            self._deployment.kill()

    @property
    def is_stopping(self) -> bool:
        """Whether somebody asked us to stop."""
        return self._stopping.is_set()

    def stop(self) -> list[str]:
        """Stop everything, the record of truth last. Returns descriptions of what did not end."""
        self._stopping.set()
        self._state = "stopping"
        self._write_status()
        left: list[str] = []
        for name, part in (
            ("deployment", self._deployment.cancel if self._deployment is not None else None),
            ("front end", self._frontend.stop if self._frontend is not None else None),
            ("Ray", self._head.stop),
            ("Valkey", self.plan.valkey.stop if self.plan.valkey is not None else None),
            ("Postgres", self.plan.postgres.stop if self.plan.postgres is not None else None),
        ):
            try:
                if part is not None:
                    part()
            except Exception as problem:  # whatever it is: nobody would look after those that come later
                left.append(f"{name} ({problem})")
        left += [processes.describe(one) for one in processes.end_all(self.plan.paths)[1]]
        self._state = "stopped"
        self._write_status()
        self._progress.end("stopped")
        return left

    def _check(self) -> None:
        """Name every problem at once, before anything runs."""
        ports.claim(self.plan.ports, frontend=self.plan.options.frontend)
        problems = [finding for finding in checks.all_checks(self.plan) if finding.level == "error"]
        if problems:
            raise ServiceError("\n".join(f"{one.what}{f' – {one.remedy}' if one.remedy else ''}" for one in problems))
        if self.plan.remembered:
            self._progress.note(
                "Production", "as the last start here; ENVIRONMENT=development ./mobula up goes back to development"
            )
        if self.plan.settings.environment == PRODUCTION and not sends_mail(self.plan.settings):
            self._progress.note(
                "Mail", f"{checks.NO_MAIL}: set SMTP_HOST, MAIL_FROM and PUBLIC_URL for more than a trial"
            )
        needed = budget.budget(self.plan.settings)
        if self.plan.postgres is not None:
            budget.require_within(needed, self.plan.postgres.max_connections)

    def _wipe(self) -> None:
        if self.plan.postgres is not None:
            self.plan.postgres.wipe()
        if self.plan.valkey is not None:
            self.plan.valkey.wipe()
        self._seeded_mark.unlink(missing_ok=True)
        for export in self.plan.paths.exports.iterdir():
            shutil.rmtree(export) if export.is_dir() and not export.is_symlink() else export.unlink()
        # Last: while there is data, there are the passwords that it has.
        secrets.keep_passwords(self.plan.paths.secrets, self.plan.secrets)
        self._progress.done("Fresh data", self._kept_elsewhere())

    def _kept_elsewhere(self) -> str:
        """What `--fresh` leaves alone, for people."""
        given = self.plan.settings
        kept = ["the server of REDIS_URL keeps its keys"] if self.plan.valkey is None and given.redis_url else []
        if given.exports_path.resolve() != self.plan.paths.exports.resolve():
            kept.append(f"EXPORT_DIR {given.exports_path} keeps its files")
        return "; ".join(["data and exports of this checkout deleted", *kept])

    def _start_postgres(self) -> None:
        self._progress.begin("Postgres")
        if self.plan.postgres is None:
            found = external.check_postgres(self.plan.settings.asyncpg_dsn)
            budget.require_within(budget.budget(self.plan.settings), found.max_connections)
            self._get_to_know(found)
            self._progress.done("Postgres", f"PostgreSQL {found.version} of DATABASE_URL")
            return
        self.plan.postgres.start()
        self._write_status()
        self._get_to_know(external.check_postgres(self.plan.postgres.dsn))
        self._progress.done("Postgres", f"{self.plan.postgres.description} on port {self.plan.postgres.port}")

    def _get_to_know(self, found: external.ExternalPostgres) -> None:
        """Remember which database it is, and warn where its shards are too many.

        Shards that were added need connections too. No refusal: they can only be removed while everything runs.
        """
        self._database = found.identity
        try:
            budget.require_within(
                budget.budget(self.plan.settings, broker_shards=found.broker_shards), found.max_connections
            )
        except budget.BudgetExceeded as problem:
            self._progress.note("Postgres", f"warning: {problem}, or remove broker shards (./mobula shards N)")

    def _start_valkey(self) -> None:
        self._progress.begin("Valkey")
        if self.plan.valkey is not None:
            self.plan.valkey.start()
            self._write_status()
            self._progress.done("Valkey", f"{self.plan.valkey.description} on port {self.plan.valkey.port}")
        elif self.plan.settings.redis_url.get_secret_value():
            version = external.check_valkey(self.plan.settings.redis_url.get_secret_value())
            self._progress.done("Valkey", f"{version} of REDIS_URL")
        else:
            self._progress.done("Valkey", "none: in-process fallbacks")

    def _start_ray(self) -> None:
        self._progress.begin("Ray")
        # A cluster that a killed command left behind is ended: its driver and its environment are gone.
        left = self._head.stop(spare=self._spared())
        if left:
            raise ServiceError("cannot end: " + ", ".join(processes.describe(one) for one in left))
        self._head.start(self._stopping.is_set)
        self._write_status()
        self._progress.done("Ray", f"GCS on {self._head.address}")

    def _spared(self) -> tuple[int, ...]:
        return () if self._deployment is None else (self._deployment.pid,)

    def _migrate(self) -> None:
        self._progress.begin("Database schema")
        log_file = self.plan.paths.logs / "migrate.log"
        applications.run_module("alembic", ["upgrade", "head"], self.plan.env, log_file)
        if self.plan.settings.environment == PRODUCTION:
            # A database that was seeded once has accounts whose password stands in a file and was on screens.
            applications.run_module(
                names.SEED_MODULE, ["--refuse-demo"], self.plan.env, self.plan.paths.logs / "seed.log"
            )
        self._progress.done("Database schema", "up to date")

    def _seed(self) -> None:
        if self.plan.settings.environment == PRODUCTION:
            return
        if self.plan.options.seed and not self._is_seeded():
            self._run_seed()
        self._demo = external.has_demo_accounts(self.plan.settings.asyncpg_dsn)

    def _is_seeded(self) -> bool:
        """Whether this database was seeded from here. A mistake costs seconds: what has data is never seeded."""
        try:
            return self._database != "" and self._seeded_mark.read_text().partition("\n")[0] == self._database
        except FileNotFoundError:
            return False

    def _run_seed(self) -> None:
        self._progress.begin("Demo data")
        said = applications.run_module(
            names.SEED_MODULE, ["--scale", "small"], self.plan.env, self.plan.paths.logs / "seed.log"
        )
        self._seeded_mark.write_text(f"{self._database}\n{said}\n")
        self._progress.done("Demo data", said)

    @property
    def _seeded_mark(self) -> Path:
        return self.plan.paths.build / "seeded"

    def _deploy(self, deployment: Deployment) -> None:
        self._progress.begin(applications.STEP)
        if self._stopping.is_set():
            deployment.kill()  # `request_stop` did not know it yet
        deployment.go(self._progress)
        self._deployment = None
        url = f"{self.plan.api_url}/health/ready"
        if not wait_for(
            url, limit_s=READY_LIMIT_S, alive=lambda: self._head.is_node_alive() and not self._stopping.is_set()
        ):
            raise ServiceError(f"{url} does not answer 200; see ./mobula logs")
        self._progress.done(applications.STEP, f"api and realtime behind HAProxy on port {self.plan.ports.http}")

    def _start_frontend(self) -> None:
        page = self._frontend
        if page is None:
            return
        self._progress.begin(frontend.STEP)
        page.install(self._progress)
        if not self.plan.options.development:
            page.build(self._progress)
        page.start(development=self.plan.options.development)
        if not wait_for(self.plan.frontend_url, limit_s=READY_LIMIT_S, good=range(200, 500), alive=page.is_running):
            raise ServiceError(f"the front end does not answer:\n{page.last_words}")
        self._progress.done(frontend.STEP, f"{self.plan.frontend_url}")

    def _look_after(self) -> None:
        """One round. A part that keeps dying is left alone for a while, so that the others are not held up."""
        plan = self.plan
        if plan.postgres is not None:
            self._restart_if_dead("Postgres", plan.postgres.ensure_running)
        if plan.valkey is not None:
            self._restart_if_dead("Valkey", plan.valkey.ensure_running)
        if self._frontend is not None:
            self._restart_if_dead(frontend.STEP, self._frontend.ensure_running)
        if self._head.is_node_alive():
            self._restart_if_dead("GCS", self._head.ensure_gcs)
        else:
            self._restart_if_dead("Ray", self._restart_ray)
        if self._applications_wanted and self._head.is_node_alive():
            self._restart_if_dead(applications.STEP, self._deploy_again)

    def _restart_ray(self) -> bool:
        """The node is gone with everything on it: a new one, and then the applications again."""
        self._state = "restarting Ray"
        self._applications_wanted = True
        self._write_status()
        self._start_ray()
        return True

    def _deploy_again(self) -> bool:
        deployment = self._deployment = Deployment(self.plan.env, self.plan.paths.logs / "deploy.log")
        self._deploy(deployment)
        self._applications_wanted = False
        self._state = "ready"
        return True

    def _restart_if_dead(self, name: str, ensure: Callable[[], bool]) -> None:
        allowed, window_s = CRASH_LOOP
        now = time.monotonic()
        recent = self._restarts[name] = [at for at in self._restarts.get(name, []) if now - at < window_s]
        if len(recent) >= allowed or self._stopping.is_set():
            return
        try:
            restarted = ensure()
        except (ServiceError, OSError, TimeoutError) as problem:
            if self._stopping.is_set():
                return  # it was given up
            recent.append(now)
            self._progress.note(name, f"cannot be restarted: {sentence(problem, self.plan.paths.home)}")
            return
        if restarted:
            recent.append(now)
            self._progress.note(name, "had died and was restarted")

    def _write_status(self) -> None:
        plan, head, page = self.plan, self._head, self._frontend
        services: dict[str, Any] = {"ray": {"gcs_pid": head.gcs_pid, "gcs_restarts": head.gcs_restarts}}
        for name, service in (("postgres", plan.postgres), ("valkey", plan.valkey)):
            if service is not None:
                services[name] = {"pid": service.pid, "port": service.port, "restarts": service.restarts}
        if page is not None:
            services["frontend"] = {"pid": page.pid, "port": plan.ports.frontend, "restarts": page.restarts}
        status = {
            "state": self._state,
            "environment": plan.settings.environment,
            "demo": self._demo,
            "api": plan.api_url,
            "websocket": plan.websocket_url,
            "frontend": plan.frontend_url if page is not None else None,
            "ray_address": head.address,
            "services": services,
        }
        if status != self._last_status and daemon_state.write_status(plan.paths, status):
            self._last_status = status
