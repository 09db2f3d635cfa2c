"""Answers that are said aloud, in the shapes of `/v1/chat/completions`."""

import asyncio
import time
from base64 import b64encode
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ...events import AudioReady
from ...jobs import Job
from ...media.encoding import SoundFormat, encoded
from ...schema import JSON

THEIRS = frozenset(
    ("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer")
) | {"verse"}
"""OpenAI's own voices: its clients must name one, and no model here has them."""


class AudioAsked(BaseModel):
    """How an answer that is said aloud sounds."""

    model_config = ConfigDict(extra="forbid")

    voice: str | JSON | None = Field(
        None,
        description="One of the model's voices, by name. OpenAI's names are taken and not used.",
    )
    format: Literal["wav", "mp3", "flac", "opus", "aac", "pcm16"] = Field(
        "wav", description="`pcm16` is bare 16-bit mono samples at 24 kHz."
    )

    @property
    def voiced(self) -> JSON:
        """The parameter of the run."""
        named = isinstance(self.voice, str) and self.voice and self.voice.lower() not in THEIRS
        return {"voice": self.voice} if named else {}


async def sounding(job: Job, event: AudioReady, text: str, form: SoundFormat) -> JSON:
    """The sound of an answer; it is not kept, so its id is good for nothing afterwards."""
    data, _ = await asyncio.to_thread(encoded, event.audio.data, form)
    return {
        "id": f"audio_{job.id}",
        "data": b64encode(data).decode(),
        "expires_at": int(time.time()),
        "transcript": text,
    }
