"""Replies whose end the database would not take: readers see them, and they are stored once that works."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ..errors import InferenceChatError, StorageFailed
from ..schema import JSON
from ..sessions.messages import ChatMessage

logger = logging.getLogger(__name__)
Finish = Callable[..., Awaitable[ChatMessage]]
RETRY_SECONDS = 5.0
LEFT_OUT = ("text", "parts", "receipt", "error")
KEPT = "This answer could not be stored yet: {reason} It is kept in memory, and stored as soon as that works."


class Unstored:
    """Ends of replies on their way to the disk; use it from one event loop."""

    def __init__(self, finish: Finish) -> None:
        """`finish` stores the end of a reply, given its id and fields; it raises when it cannot."""
        self._finish = finish
        self._ends: dict[str, JSON] = {}
        self._reasons: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None

    async def finish(self, reply_id: str, **end: object) -> ChatMessage:
        """Store an end; where that fails, keep it and raise the `StorageFailed`."""
        try:
            return await self._finish(reply_id, **end)
        except StorageFailed as error:
            self._ends[reply_id] = end
            self._reasons[reply_id] = error.detail
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._until_stored(), name="unstored-replies")
            raise

    def shown(self, message: ChatMessage) -> ChatMessage:
        """A message as readers should see it, which may be more than is stored of it."""
        if (end := self._ends.get(message.id)) is None or message.status != "writing":
            return message
        error = {"code": StorageFailed.code, "detail": KEPT.format(reason=self._reasons[message.id])}
        fields = {name: value for name, value in end.items() if name not in LEFT_OUT}
        return message.model_copy(
            update={**fields, "content": end["text"], "error": end.get("error") or error}
        )

    async def store(self) -> None:
        """Try all of them once more."""
        for reply_id, end in list(self._ends.items()):
            try:
                await self._finish(reply_id, **end)
            except StorageFailed as error:
                self._reasons[reply_id] = error.detail
                return
            except InferenceChatError as error:  # its conversation was cleared or deleted meanwhile
                logger.warning("A reply is not stored any more: %s", error.detail)
            del self._ends[reply_id], self._reasons[reply_id]

    async def close(self) -> None:
        """Try a last time; what is still not stored will be marked interrupted at the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.store()
        if self._ends:
            logger.error("%d replies could not be stored at their end.", len(self._ends))

    async def _until_stored(self) -> None:
        while self._ends:
            await asyncio.sleep(RETRY_SECONDS)
            await self.store()
