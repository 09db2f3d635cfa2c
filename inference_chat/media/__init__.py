"""Files people send and get: bytes ↔ picture, sound, clip and `data:` URL, within limits.

Every limit is checked before anything is decoded. What cannot be used raises `BadMedia`, `TooLarge`
or `UnsupportedMediaType`, with words that say what would work.
"""

from .clips import Clip, clip_bytes, length_of, open_clip
from .container import HEAD, TAKEN, Limits, check, data_url, from_data_url, head_of, kind_of, sniff
from .film import Film
from .frames import Frame, Frames
from .images import first_of_several, image_bytes, open_image, open_map, preview
from .links import Links
from .listening import Recording, has_sound, listening
from .reel import ClipInfo
from .sounds import Sound, open_sound, wav_bytes
from .store import MediaStore

__all__ = [
    "HEAD",
    "TAKEN",
    "Clip",
    "ClipInfo",
    "Film",
    "Frame",
    "Frames",
    "Limits",
    "Links",
    "MediaStore",
    "Recording",
    "Sound",
    "check",
    "clip_bytes",
    "data_url",
    "first_of_several",
    "from_data_url",
    "has_sound",
    "head_of",
    "image_bytes",
    "kind_of",
    "length_of",
    "listening",
    "open_clip",
    "open_image",
    "open_map",
    "open_sound",
    "preview",
    "sniff",
    "wav_bytes",
]
