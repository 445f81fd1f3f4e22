"""The queue owner."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import UUID, uuid4

import msgspec
import structlog

from actors.hosts.contract import ShardDeposed
from actors.jobs import metering
from actors.jobs.contract import (
    BeatReply,
    BeatRequest,
    Counts,
    FinishReply,
    FinishRequest,
    Kind,
    LeasedJob,
    Outcome,
    OutcomeState,
    PollReply,
    PollRequest,
    QueuePolicy,
    Registry,
    Token,
)
from actors.jobs.discovery import Discovery
from actors.jobs.ends import write_ends
from actors.jobs.handle import MANY_KEYS, Woken
from actors.jobs.leases import Agent, Lease, LeaseBook, Rescue, leased_job
from actors.jobs.limits import Limits
from actors.jobs.policy import UNKNOWN_KIND, decide
from actors.jobs.ready import ReadyQueues
from actors.jobs.registry import load_policies, load_registry
from actors.jobs.staging import Staging
from cluster.settings import Settings
from db.effects import LOOK
from db.jobs.store import Assertion, ClaimedRow, Fenced, Finish, HeldRow, JobStore, ProgressNote, Release

POLL_FIRST_S: Final = 0.1
POLL_LIMIT_S: Final = 5.0
"""Between these, the pause between looks doubles while nothing is found; a wake-up ends it at once."""

BATCH: Final = 50
"""Jobs per claim: a reply with this many stays small, and no agent takes what another could start sooner."""

WAIT_LIMIT_S: Final = 10.0
TICK_S: Final = 1.0
RETRY_S: Final = 0.5

AGENTS_EVERY: Final = 5
"""Ticks between notes of who lives: for people who look at the table, nothing depends on it."""

logger = structlog.get_logger(__name__)


class QueueOwner:
    """Own the job queue: claim, hand out, end, retry, cancel and rescue jobs.

    State:
        Hard: none; the tables of schema `jobs` are the record. Soft: leases and agents (`LeaseBook`), which the limits
        of queues count; whose turn it is (`ReadyQueues`) and rates; outcomes that wait for their commit, progress notes
        of the last second.
    Concurrency:
        Async, one event loop. One claim at a time (the pump), one write of outcomes at a time (the finisher); agents'
        calls interleave with both.
    Failure:
        Every statement reads the fence row, so a deposed owner writes nothing and says ShardDeposed. A database that is
        away is waited for; after it returns the owner writes its leases back before it claims. An outcome is settled
        only when it is committed; agents keep sending it until then.
    Restart:
        A new boot id takes the fence and reads which jobs run. Agents report what they hold, under the tokens of the
        former owner, which stay valid; nothing is rescued before a full lease period has passed. Limits hold on: what
        runs is read before anything is claimed. Rates begin anew, so one burst of each may come on top.
    """

    def __init__(
        self,
        shard: int,
        shards: int,
        settings: Settings,
        *,
        store: JobStore | None = None,
        registry: Registry | None = None,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.boot = uuid4()
        self._store = store or JobStore(settings.asyncpg_dsn, shard=shard, boot=self.boot)
        self._registry = registry
        self._clock = clock
        self._jitter = jitter
        self._settings = settings
        self._number = 0
        self._begin({})
        self._waiting: dict[UUID, asyncio.Event] = {}
        self._outbox: dict[UUID, list[LeasedJob]] = {}
        self._ended: list[tuple[Outcome, asyncio.Future[bool]]] = []
        self._notes: dict[UUID, ProgressNote] = {}
        self._wake = asyncio.Event()
        self._ended_any = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._connected = False
        self._deposed = False
        self._claimed = self._finished = self._rescued = self._ticks = 0

    async def start(self) -> None:
        """Take the fence, read what runs, begin."""
        if self._registry is None:
            self._registry = load_registry()
        policies = load_policies(self._registry, self._settings)
        fence = await self._store.take()
        self._begin(policies)
        await self._adopt()
        self._connected = True
        loops = (self._pump, self._settle, self._tick_for_ever)
        self._tasks = [asyncio.create_task(loop(), name=f"jobs-{loop.__name__}") for loop in loops]
        logger.info("queue owner started", boot=str(self.boot), fence=fence, running=len(self._book.leases))

    def _begin(self, policies: Mapping[str, QueuePolicy]) -> None:
        self._book = LeaseBook(self._clock())
        self._queues = ReadyQueues(Limits(policies, self._book))
        self._discovery = Discovery(self._store, self._queues)
        self._staging = Staging(self._store)

    async def stop(self) -> None:
        """Stop and answer everybody who waits."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for event in self._waiting.values():
            event.set()
        for _, future in self._ended:
            future.cancel()
        await self._store.close()

    async def poll(self, payload: bytes) -> bytes:
        """An agent asks for work, and waits for it (`PollRequest` → `PollReply`)."""
        self._check()
        request = msgspec.msgpack.decode(payload, type=PollRequest)
        agent = self._book.heard(request.boot, request.node, self._clock())
        agent.capacity = request.capacity
        former = self._waiting.get(agent.boot)
        if former is not None:
            former.set()  # the newest poll wins
        event = self._waiting[agent.boot] = asyncio.Event()
        if not self._outbox.get(agent.boot):
            self._wake.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(request.wait_s, WAIT_LIMIT_S)):
                    await event.wait()
        if self._waiting.get(agent.boot) is not event:
            return msgspec.msgpack.encode(PollReply())
        del self._waiting[agent.boot]
        self._check()
        jobs, now = [], self._clock()
        for job in self._outbox.pop(agent.boot, []):
            lease = self._book.find(Token(job.id, job.owner, job.number))
            if lease is not None:  # else it was rescued while it lay here, and may be another agent's
                lease.delivered, lease.seen_at = True, now
                jobs.append(job)
        return msgspec.msgpack.encode(PollReply(jobs=jobs, cancel=self._to_cancel(agent.boot)))

    async def beat(self, payload: bytes) -> bytes:
        """An agent reports all it holds (`BeatRequest` → `BeatReply`)."""
        self._check()
        request = msgspec.msgpack.decode(payload, type=BeatRequest)
        now = self._clock()
        if self._book.is_silent(request.boot, now):
            self._wake.set()  # its poll may wait for work that it was not trusted with
        agent = self._book.heard(request.boot, request.node, now)
        lost = self._book.report(agent, request.live, now)
        for report in request.progress:
            if self._book.find(report.token) is not None:
                token = report.token
                note = ProgressNote(token.id, token.owner, token.number, report.progress)
                self._notes[token.id] = note
        return msgspec.msgpack.encode(BeatReply(cancel=self._to_cancel(agent.boot), lost=lost))

    async def finish(self, payload: bytes) -> bytes:
        """Attempts ended (`FinishRequest` → `FinishReply`). Answers when that is committed."""
        self._check()
        request = msgspec.msgpack.decode(payload, type=FinishRequest)
        self._book.heard(request.boot, request.node, self._clock())
        settled: list[Token] = []
        waiting: list[tuple[Token, asyncio.Future[bool]]] = []
        for outcome in request.outcomes:
            lease = self._book.find(outcome.token)
            if lease is None:
                settled.append(outcome.token)  # another attempt owns the job: this one's end does not count
            else:
                lease.ending = True
                future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
                self._ended.append((outcome, future))
                waiting.append((outcome.token, future))
        self._ended_any.set()
        results = await asyncio.gather(*(future for _, future in waiting), return_exceptions=True)
        self._check()
        settled += [token for (token, _), result in zip(waiting, results, strict=True) if result is True]
        return msgspec.msgpack.encode(FinishReply(settled=settled))

    async def wake(self, payload: bytes) -> bytes:
        """Jobs were added or deferred, or one is to be cancelled (msgpack list of `handle.Woken`)."""
        self._check()
        for line in msgspec.msgpack.decode(payload, type=list[Woken]):
            if line == LOOK:
                self._staging.want()
            elif isinstance(line, str):
                self._queues.hear_of([line])
            elif line[1] == MANY_KEYS:
                self._discovery.seek_keys()
            else:
                self._queues.hear_of((), [line])
        self._wake.set()
        return b""

    async def counts(self, payload: bytes) -> bytes:
        """`Counts`."""
        self._check()
        counts = Counts(
            running=len(self._book.leases),
            agents=len(self._book.agents),
            claimed=self._claimed,
            finished=self._finished,
            rescued=self._rescued,
        )
        return msgspec.msgpack.encode(counts)

    # The pump ---------------------------------------------------------------------------------------------------------

    async def _pump(self) -> None:
        delay = POLL_FIRST_S
        go_on = False
        while True:
            woken = self._wake.is_set()
            self._wake.clear()
            try:
                if not self._connected:
                    await self._reconnect()
                go_on, next_in_s = await self._look(idle=not woken and not go_on)
            except Fenced:
                return self._depose()
            except Exception as reason:
                self._lose_contact("claim", reason)
                await asyncio.sleep(RETRY_S)
                continue
            if go_on:
                delay = POLL_FIRST_S
                continue
            delay = POLL_FIRST_S if woken else min(POLL_LIMIT_S, delay * 2)
            pause = delay if next_in_s is None else max(0.01, min(delay, next_in_s))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def _look(self, *, idle: bool) -> tuple[bool, float | None]:
        """One round: due jobs, cancellations, claims for every agent that waits.

        Returns whether to look again at once, and when the next job becomes due or the next rate allows one.
        """
        now = self._clock()
        staged = await self._staging.look(now, idle=idle)
        unheld = []
        for job_id in staged.cancelled:
            lease = self._book.leases.get(job_id)
            if lease is None:
                unheld.append(job_id)
            elif not lease.cancelled:
                lease.cancelled = True
                self._answer(lease.agent)
        if unheld:
            await self._store.end_cancelled(unheld)
        self._queues.hear_of(staged.queues, staged.keys)
        await self._discovery.look(now, idle=idle)
        go_on = False
        for boot in list(self._waiting):
            agent = self._book.agents.get(boot)
            if agent is None or self._outbox.get(boot):
                continue
            if self._book.is_replaced(agent):
                self._answer(boot)
                continue
            if self._book.is_silent(boot, self._clock()):
                continue  # it would be rescued from there, and given there again
            go_on = await self._claim_for(agent, now) or go_on
        waits = (self._staging.next_in_s(now), self._queues.next_in_s(now))
        return go_on, min((seconds for seconds in waits if seconds is not None), default=None)

    async def _claim_for(self, agent: Agent, now: float) -> bool:
        """Claim what an agent has room for. Returns whether there may be more to claim at once."""
        room = self._book.room(agent, self._queues.may_start(now), BATCH)
        asked = self._queues.ask(room, now)
        if not asked.size:
            return False
        base, self._number = self._number, self._number + asked.size
        try:
            rows = await self._store.claim(asked.room, asked.lines, base=base, node=agent.node)
        except BaseException:
            self._queues.unanswered(asked)
            raise
        again = self._queues.answered(asked, rows, now)
        if rows:
            self._claimed += len(rows)
            self._outbox.setdefault(agent.boot, []).extend(self._grant(row, agent.boot) for row in rows)
            self._answer(agent.boot)
        return again or bool(rows)

    def _grant(self, row: ClaimedRow, boot: UUID) -> LeasedJob:
        lease = self._lease(row, self.boot)
        lease.granted_at = self._clock()
        metering.started(self._kind(row.kind), row.waited_s)
        self._book.grant(lease, self._book.agents[boot])
        return leased_job(row, lease)

    # Ends -------------------------------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        """Write outcomes: the batch is whatever gathered while the last one was committing."""
        while True:
            await self._ended_any.wait()
            self._ended_any.clear()
            batch, self._ended = self._ended, []
            # An outcome that was sent twice may find its lease ended by the first copy.
            ends = {outcome.token: outcome for outcome, _ in batch if self._book.find(outcome.token) is not None}
            try:
                await self._write([self._decide(outcome) for outcome in ends.values()])
            except Fenced:
                self._ended = batch + self._ended
                return self._depose()
            except Exception as reason:
                self._lose_contact("finish", reason)
            for outcome, future in batch:
                lease = self._book.find(outcome.token)
                if lease is not None:
                    lease.ending = False
                if not future.done():
                    future.set_result(lease is None)
            self._wake.set()  # slots are free

    def _decide(self, outcome: Outcome) -> Finish | Release:
        lease = self._book.leases[outcome.token.id]
        if lease.cancelled and outcome.state not in ("succeeded", "refused"):
            outcome = msgspec.structs.replace(outcome, state="cancelled")
        return decide(outcome, lease, self._kind(lease.kind), self._jitter())

    async def _write(self, items: Sequence[Finish | Release]) -> None:
        def over(item: Finish | Release) -> None:
            lease = self._book.find(Token(item.id, item.owner, item.number))
            if lease is None:
                return  # written late: the job was given back meanwhile, and may be another attempt's by now
            metering.ended(self._kind(lease.kind), item, lease.granted_at, self._clock())
            if isinstance(item, Release):
                if item.delay_s > 0:
                    self._staging.want()
                else:
                    self._queues.hear_of_one(lease.queue, lease.key)
            self._forget(item.id)

        self._finished += await write_ends(self._store, items, over)

    def _forget(self, job_id: UUID) -> None:
        lease = self._book.leases.get(job_id)
        self._book.drop(job_id)
        if lease is not None:
            self._queues.freed(lease.queue, lease.key)
        self._notes.pop(job_id, None)

    # Time -------------------------------------------------------------------------------------------------------------

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self.tick()
            except Fenced:
                return self._depose()
            except Exception as reason:
                self._lose_contact("tick", reason)

    async def tick(self) -> None:
        """Store progress, rescue what nobody runs."""
        now = self._clock()
        if not self._connected:
            self._book.break_contact(now)
            return
        self._ticks += 1
        if self._ticks % AGENTS_EVERY == 0:
            for agent in list(self._book.agents.values()):
                await self._store.beat(agent.node, agent.boot, sum(agent.held.values()))
        notes, self._notes = list(self._notes.values()), {}
        if notes:
            for note in await self._store.progress(notes):
                if note.id in self._book.leases:
                    self._notes.setdefault(note.id, note)
        rescues = self._book.overdue(now)
        if not rescues:
            return
        items = []
        for rescue in rescues:
            outcome = Outcome(token=rescue.lease.token, state=self._fate(rescue), error=f"rescued: {rescue.reason}")
            rescue.lease.ending = True
            items.append(self._decide(outcome))
        try:
            await self._write(items)
        finally:
            for rescue in rescues:
                rescue.lease.ending = False
        for rescue in rescues:
            lease = rescue.lease
            if self._book.leases.get(lease.id) is not lease:  # else its handler holds it still: again in a second
                logger.warning("job rescued", job=str(lease.id), kind=lease.kind, reason=rescue.reason)
                self._rescued += 1
        self._wake.set()

    def _fate(self, rescue: Rescue) -> OutcomeState:
        """An agent that ended takes everything along: only what ran inside it, for certain, can be what ended it."""
        if not rescue.agent_ended:
            return "died" if rescue.lease.reported else "returned"
        inside = rescue.lease.reported and self._kind(rescue.lease.kind).mode == "inline"
        return "died" if inside else "orphaned"

    # Contact ----------------------------------------------------------------------------------------------------------

    def _lose_contact(self, what: str, reason: Exception) -> None:
        if self._connected:
            logger.warning("queue owner lost the database", during=what, reason=repr(reason))
        self._connected = False
        self._book.break_contact(self._clock())

    async def _reconnect(self) -> None:
        """Write back what memory knows better, then take over what only the table knows (DESIGN §5, 14)."""
        await self._store.reopen()
        await self._store.last_words()
        mine = [
            Assertion(lease.id, lease.owner, lease.number, lease.node, lease.attempt)
            for lease in self._book.leases.values()
        ]
        stand = await self._store.reassert(mine)
        for item in mine:
            lease = self._book.leases.get(item.id)
            if item.id not in stand and lease is not None and lease.number == item.number:
                self._forget(item.id)
        await self._adopt()
        self._connected = True
        self._book.break_contact(self._clock())
        logger.info("queue owner is back", kept=len(stand), lost=len(mine) - len(stand))

    async def _adopt(self) -> None:
        for row in await self._store.held():
            known = self._book.leases.get(row.id)
            if known is not None and (known.owner, known.number) == (row.owner, row.number):
                continue
            lease = self._lease(row, row.owner)
            lease.node = row.node or ""
            self._book.adopt([lease])
            self._queues.remember(lease.queue, lease.key)

    def _lease(self, row: ClaimedRow | HeldRow, owner: UUID) -> Lease:
        limit = row.max_attempts or self._kind(row.kind).max_attempts
        return Lease(
            row.id,
            owner,
            row.number,
            row.attempt,
            limit,
            spared=row.spared,
            kind=row.kind,
            queue=row.queue,
            key=row.key,
            seen_at=self._clock(),
        )

    def _depose(self) -> None:
        logger.warning("queue owner deposed", boot=str(self.boot))
        self._deposed = True
        for boot in list(self._waiting):
            self._answer(boot)
        for _, future in self._ended:
            future.cancel()

    def _check(self) -> None:
        if self._deposed:
            raise ShardDeposed

    def _answer(self, boot: UUID | None) -> None:
        event = self._waiting.get(boot) if boot is not None else None
        if event is not None:
            event.set()

    def _to_cancel(self, boot: UUID) -> list[UUID]:
        return [lease.id for lease in self._book.leases.values() if lease.cancelled and lease.agent == boot]

    def _kind(self, name: str) -> Kind:
        registry = self._registry
        return UNKNOWN_KIND if registry is None else registry.kinds.get(name, UNKNOWN_KIND)
