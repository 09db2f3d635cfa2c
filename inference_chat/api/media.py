"""Files that were sent, shown again to those who know their id: pictures and clips of the page."""

import asyncio

from fastapi import UploadFile
from fastapi.responses import FileResponse

from ..errors import BadMedia, NotFound
from ..schema import JSON
from .dependencies import TheCaller, TheService

ALONE = {"Content-Security-Policy": "sandbox; default-src 'none'", "Cache-Control": "private, max-age=3600"}


async def keep_media(service: TheService, caller: TheCaller, file: UploadFile) -> JSON:
    """Send a file once, and name it in messages by the `url` that comes back."""
    kept = await service.intake.any(file.file)
    return kept.model_dump(mode="json", exclude={"path"}) | {"url": kept.url}


async def show_media(service: TheService, id: str) -> FileResponse:
    """A file by the SHA-256 of its bytes, in parts where a player asks for them."""
    try:
        media = await asyncio.to_thread(service.media.look, id)
    except BadMedia as error:
        raise NotFound(error.detail) from None
    return FileResponse(media.path, media_type=media.media_type, headers=ALONE)
