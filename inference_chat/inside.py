"""Looking inside models, for those who learn: tokens of a text, and what a picture's answer rests on.

The probabilities of an answer's tokens, and going on from another token, are ordinary requests with
`logprobs`, and with a last message of the assistant's own.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from .errors import DeadlinePassed, InferenceChatError, ModelFailed, TooLarge
from .events import Progress
from .loaded import Lease
from .media import open_image
from .models.models import Models
from .pool import Pool
from .runners.pieces import Piece
from .runners.saliency import Heat, occluded
from .schema import JSON, Media

T = TypeVar("T")
logger = logging.getLogger(__name__)
LONGEST_TEXT: Final = 20_000
SECONDS: Final = 120.0  # that a look may take


class Inside:
    """Use it from one event loop."""

    def __init__(self, models: Models, pool: Pool) -> None:
        self._models = models
        self._pool = pool

    async def tokens(self, ref: str, text: str) -> JSON:
        """How a model's tokenizer splits a text; raises `UnsupportedTask`, `TooLarge`."""
        if len(text) > LONGEST_TEXT:
            raise TooLarge(f"The text has {len(text):,} characters; {LONGEST_TEXT:,} are split at most.")
        found: list[Piece] = []

        def make(lease: Lease) -> Iterator[Piece]:
            yield from lease.runner.tokens(text)

        id = await self._run(ref, make, found.append)
        return {"model": id, "count": len(found), "tokens": [one.model_dump() for one in found]}

    async def saliency(
        self,
        ref: str,
        picture: Media,
        label: str | None = None,
        tell: Callable[[Progress], None] | None = None,
    ) -> JSON:
        """What in a picture a classifier's or detector's answer rests on, as `Heat` tells it.

        Raises `UnsupportedTask`, `BadMedia`, and `InvalidRequest` when `label` was not found.
        """
        image = await asyncio.to_thread(lambda: open_image(picture.read()))
        found: list[Heat] = []

        def hear(item: Progress | Heat) -> None:
            if isinstance(item, Heat):
                found.append(item)
            elif tell is not None:
                tell(item)

        id = await self._run(ref, lambda lease: occluded(lease.runner, image, label), hear)
        return {"model": id} | found[0].model_dump(mode="json", exclude_none=True)

    async def _run(self, ref: str, make: Callable[[Lease], Iterator[T]], hear: Callable[[T], Any]) -> str:
        """Step something on a model's thread, in turn with its requests; the model's id."""
        record = self._models.record(ref, None)
        try:
            async with asyncio.timeout(SECONDS), self._pool.lease(record) as lease:
                await lease.worker.run(lambda: make(lease), hear)
        except TimeoutError:
            raise DeadlinePassed(
                f"Looking into {record.id} took longer than {SECONDS:.0f} seconds."
            ) from None
        except InferenceChatError:
            raise
        except Exception as error:  # a model's code may raise anything
            logger.exception("%s could not be looked into", record.id)
            raise ModelFailed(f"{record.id} failed with {type(error).__name__}.") from error
        return record.id
