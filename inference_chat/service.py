"""What every door calls: models, conversations and requests, with limits and permissions applied."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from .access import Access, Caller
from .allowances import Allowances
from .batches import Batches
from .chats.chats import Chats
from .chats.exports import Exports
from .comparing.comparisons import Comparison, Comparisons
from .comparing.energy import Meter
from .comparing.ratings import Rating, rate
from .comparing.votes import Vote, Votes
from .database import open_database
from .engine import Engine
from .errors import InferenceChatError, InvalidRequest, Overloaded
from .evaluating.evaluations import Evaluations
from .evaluating.measuring import Tools
from .evaluating.store import EvaluationStore
from .gallery import Gallery
from .inside import Inside
from .intake import Intake
from .jobs import Job, Jobs
from .ledger import Ledger
from .media import Limits, MediaStore
from .models.checking import Checking
from .models.curation import Curation, is_pinned
from .models.models import Models
from .models.obtaining import Obtaining
from .models.shelf import Shelf
from .models.transfer import Transfer
from .overview import Overview, Window
from .planning import Planner
from .pool import Pool
from .recommending.recommender import Recommender
from .records import Records
from .registry.registry import ModelRecord, Registry
from .schema import JSON
from .sessions.store import Sessions
from .settings import Settings

logger = logging.getLogger(__name__)
WARM_UP_DELAY = 0.5
"""Seconds after the start until torch is imported, so that the first page is served before."""
REAP_SECONDS = 5.0
CLEAN_SECONDS = 600.0
SHELF_SECONDS = 2.0
"""Seconds between two looks at the folder of cards."""


class Service:
    """The whole of Inference Chat behind its doors; making one opens files and touches no torch."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.access = Access(settings)
        self.registry = Registry(settings.registry_path)
        self._database = open_database(settings.database_url)
        self.sessions = Sessions(self._database)
        self.records = Records(self._database)
        self.gallery = Gallery(self._database)
        pinned = partial(is_pinned, self.registry)
        self.pool = Pool(settings, self._find, self._loaded, pinned)
        scores = EvaluationStore(self._database)
        self.models = Models(settings, self.registry, self.records, self.pool, scores.accuracy)
        self.curation = Curation(self.models, self.registry, self.pool)
        self.checking = Checking(self.models, self.registry, self.pool)
        self.fetching = Obtaining(self.models, self.registry)
        self.transfer = Transfer(self.models, self.registry)
        self.shelf = Shelf(settings.model_cards_dir, self.registry, self.models.describer)
        self.engine = Engine(settings, self.registry, self.pool, self.records)
        self.allowances = Allowances(settings)
        limits = Limits(
            max_bytes=settings.max_body_mb << 20,
            max_clip_seconds=settings.max_clip_minutes * 60,
            max_listen_seconds=settings.max_listen_minutes * 60,
        )
        self.media = MediaStore(settings.media_dir, limits)
        self.jobs = Jobs(
            Planner(self.engine, self.models, self.media),
            settings.max_concurrent_inference,
            settings.max_queued_inference,
            self.allowances,
        )
        self.overview = Overview(self.records, scores, self.jobs, self.pool, self.cache_stats)
        self.intake = Intake(settings, self.models, self.media)
        self.inside = Inside(self.models, self.pool)
        tools = Tools(scores, self.models, self.intake, self.jobs)
        self.evaluations = Evaluations(tools, settings.media_dir.with_name("sets"))
        self.comparisons = Comparisons(
            self.intake, self.registry, self.pool, self.jobs, Meter(settings.power_watts)
        )
        self.votes = Votes(self._database)
        self.recommender = Recommender(
            self.registry, self.models, self.records, self.pool, self.intake, self.jobs
        )
        self.chats = Chats(settings, self.sessions, self.models, self.jobs, self.intake)
        self.exports = Exports(settings, self.chats, self.intake)
        self.batches = Batches(settings, Ledger(self._database))
        self._tasks: list[asyncio.Task[None]] = []
        self._warm = False
        self.stopping = asyncio.Event()
        """Set when no more work is taken, and what ran has ended: whoever is connected may go."""
        self._drained = False

    @property
    def notices(self) -> tuple[str, ...]:
        """What people should know of the start: files kept aside, cards left out."""
        return (*self.registry.notices, *self._database.notices, *self.shelf.notices)

    async def start(self) -> None:
        """Open for business: half replies are marked, cards registered, torch imported in the background."""
        interrupted = await asyncio.to_thread(self.sessions.mark_interrupted)
        if interrupted:
            logger.warning("%d replies were being written when the last run ended.", interrupted)
        await asyncio.to_thread(self.shelf.look)
        for notice in self.notices:
            logger.warning(notice)
        self._tasks = [
            asyncio.create_task(self._warm_up(), name="warm-up"),
            asyncio.create_task(_every(REAP_SECONDS, self.pool.unload_idle), name="unload-idle"),
            asyncio.create_task(_every(SHELF_SECONDS, self._look_at_cards), name="cards"),
            asyncio.create_task(_every(CLEAN_SECONDS, self._clean_media), name="clean-media"),
            asyncio.create_task(
                _every(self.settings.cache_cleanup_interval, self._clean_cache), name="clean-cache"
            ),
        ]
        await self.batches.resume()

    async def drain(self, seconds: float) -> None:
        """Take no more work, give what runs so many seconds to end, then end it; all replies are stored."""
        if self._drained:
            return
        self._drained = True
        await self.batches.close()
        await self.jobs.settle(seconds)
        await self.evaluations.close()
        await self.chats.close()
        await self.jobs.close()
        self.stopping.set()

    async def stop(self) -> None:
        """Stop what runs, store it, unload all models, close all files."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.batches.close()
        await self.evaluations.close()
        await self.chats.close()
        await self.comparisons.close()
        await self.jobs.close()
        self.models.downloads.close()
        await self.pool.close()
        self.sessions.close()
        self.records.close()
        self._database.close()

    # --- callers ---------------------------------------------------------------------------------

    def identify(self, headers: Mapping[str, str], cookies: Mapping[str, str], address: str) -> Caller:
        """The caller behind a request; `Unauthorized` when a key is needed and none fits."""
        return self.access.identify(headers, cookies, address)

    def admit(self, caller: Caller) -> None:
        """Count a call of this caller; raises `RateLimited` above the limit, `Overloaded` at the end."""
        if self._drained:
            raise Overloaded("The server is being stopped; try again in a moment.", retry_after=5)
        self.allowances.admit(caller.owner if self.access.keyed else caller.address)

    # --- requests --------------------------------------------------------------------------------

    async def infer(self, caller: Caller, **asked: Any) -> Job:
        """Start a request, given as `Intake.request` takes it.

        What is wrong with it is raised at once; what goes wrong later ends the job.
        """
        return self.jobs.start(await self.intake.request(**asked))

    async def infer_all(self, caller: Caller, asked: Sequence[JSON]) -> list[Job]:
        """Start several requests, all or none; raises what is wrong with the first that is refused."""
        if not asked:
            raise InvalidRequest("There is nothing to do: the list is empty.")
        requests = [await self.intake.request(**one) for one in asked]
        jobs: list[Job] = []
        try:
            jobs.extend(self.jobs.start(request) for request in requests)
        except InferenceChatError:
            for job in jobs:
                job.cancel()
            raise
        return jobs

    async def compare(
        self, caller: Caller, models: Sequence[str], asked: JSON, *, in_turn: bool = False, least: int = 2
    ) -> Comparison:
        """Give the same input, as `Intake.request` takes it, to `least` to six models."""
        return await self.comparisons.begin(models, asked, in_turn=in_turn, least=least)

    async def vote(self, caller: Caller, vote: Vote) -> Vote:
        """Keep what somebody thought of answers that were compared."""
        return await asyncio.to_thread(self.votes.add, vote.model_copy(update={"owner": caller.owner}))

    async def ratings(self, task: str | None = None) -> list[Rating]:
        """Models by the votes on a task, or on all, the best first."""
        return await asyncio.to_thread(lambda: rate(self.votes.ballots(task)))

    # --- how it is going -------------------------------------------------------------------------

    def ready(self) -> tuple[bool, str]:
        """Whether the default model can be served, and if not, why.

        It can once it has been loaded for the first time. One that has left memory since still can: the
        next request loads it, and a server that got no requests for it would never do so.
        """
        if self._drained:
            return False, "The server is being stopped."
        try:
            record = self.models.record(None)
        except InferenceChatError as error:
            return False, error.detail
        status = self.pool.status(record.id)
        if status == "failed":
            return False, f"{record.id} could not be loaded: {self.pool.error(record.id)}"
        if status != "loaded" and record.memory_estimate and record.memory_estimate > self.pool.limit:
            return False, f"{record.id} does not fit into memory; raise MEMORY_LIMIT_MB."
        return status == "loaded" or self._warm, f"{record.id} is {status}"

    async def stats(self, window: Window | None = None) -> JSON:
        """Everything the dashboard and the metrics show; all of it measured here.

        With a window, of the time since, and with a series over time and what went wrong; else of all time.
        """
        if window is not None:
            return await self.overview.of(window)
        measured: JSON = await asyncio.to_thread(self.records.stats)
        return {**measured, **self.overview.now()}

    def cache_stats(self) -> JSON:
        return self.engine.cache.stats()

    def clear_cache(self) -> None:
        self.engine.cache.clear()

    # --- inside ----------------------------------------------------------------------------------

    def _find(self, record: ModelRecord) -> Any:
        return self.models.find(record)

    def _loaded(self, record: ModelRecord, size: int) -> None:
        self.models.loaded(record, size)

    async def _look_at_cards(self) -> None:
        known = set(self.shelf.notices)
        for id in await asyncio.to_thread(self.shelf.look):
            logger.info("%s was registered from the folder of cards.", id)
        for notice in self.shelf.notices:
            if notice not in known:
                logger.warning(notice)

    async def _clean_media(self) -> None:
        needed = await asyncio.to_thread(lambda: self.sessions.media() | self.gallery.media())
        await asyncio.to_thread(self.media.clean, self.settings.media_keep_hours * 3600, needed)

    async def _clean_cache(self) -> None:
        self.engine.cache.clean()

    async def _warm_up(self) -> None:
        """Import torch and load the default model; a failure is for the first request to tell."""
        await asyncio.sleep(WARM_UP_DELAY)
        if self._drained:  # an import cannot be stopped, and the end would wait for it
            return
        with contextlib.suppress(InferenceChatError):
            await self.pool.warm()
            await self.models.load(self.models.default())
        self._warm = True
        await self.curation.load_pinned()
        with contextlib.suppress(InferenceChatError):
            await asyncio.to_thread(self.records.stats)  # the first reading of a million runs takes a second


async def _every(seconds: float, function: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await function()
        except Exception:  # the next time may be better, and nobody else would start it again
            logger.exception("Regular work failed.")
