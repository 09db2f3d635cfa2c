"""Conversations with the files that were sent in them, out of the house and in again."""

import asyncio
import tempfile
from pathlib import Path

from ..access import Caller
from ..intake import Intake
from ..sessions.archives import ids_of, packed, unpacked
from ..sessions.messages import Session
from ..settings import Settings
from .chats import Chats


class Exports:
    """Zip files of conversations."""

    def __init__(self, settings: Settings, chats: Chats, intake: Intake) -> None:
        self._chats = chats
        self._intake = intake
        self._most_bytes = settings.max_body_mb << 21  # what is packed may be twice as large

    async def pack(self, caller: Caller, session_id: str) -> Path:
        """A temporary zip file of a conversation; files that are gone by now are left out."""
        told = await self._chats.export(caller, session_id)
        text = await self._chats.markdown(caller, session_id)
        media = [found for id in ids_of(told) if (found := await self._intake.kept(id))]
        path = Path(await asyncio.to_thread(_temporary))
        try:
            await asyncio.to_thread(packed, path, told, text, media)
        except BaseException:
            await self.drop(path)
            raise
        return path

    async def drop(self, path: Path) -> None:
        """Remove a temporary file."""
        await asyncio.to_thread(path.unlink, missing_ok=True)

    async def unpack(self, caller: Caller, data: bytes) -> Session:
        """A new conversation from such a file; raises `InvalidRequest`, `TooLarge`, `BadMedia`."""
        told, files = await asyncio.to_thread(unpacked, data, self._most_bytes)
        for file in files:
            await self._intake.any(file)
        return await self._chats.load(caller, told)


def _temporary() -> str:
    with tempfile.NamedTemporaryFile(prefix="conversation-", suffix=".zip", delete=False) as file:
        return file.name
