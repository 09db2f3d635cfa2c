"""Sent files are kept once, by what is in them, and no other file is ever reached."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference_chat.errors import BadMedia, TooLarge, UnsupportedMediaType
from inference_chat.media import Limits, MediaStore, Sound, image_bytes, wav_bytes

PICTURE = image_bytes(Image.new("RGB", (3, 2), "red"))


@pytest.fixture
def store(tmp_path: Path) -> MediaStore:
    return MediaStore(tmp_path / "media", Limits(max_bytes=10_000))


def names(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "media").iterdir()]


def test_the_same_bytes_are_one_file(store: MediaStore, tmp_path: Path):
    first, second = store.add(PICTURE, "image"), store.add(io.BytesIO(PICTURE), "image")
    assert first == second
    assert first.read() == PICTURE
    assert (first.media_type, first.size, names(tmp_path)) == ("image/png", len(PICTURE), [first.id])


def test_a_kept_file_is_found_by_its_id(store: MediaStore):
    kept = store.add(PICTURE, "image")
    assert store.find(kept.id, "image") == kept
    with pytest.raises(BadMedia):
        store.find(kept.id, "audio")


@pytest.mark.parametrize("id", ["", "..", "../secret", "a" * 64, "/etc/passwd", "a" * 63 + "/"])
def test_nothing_else_is_found(store: MediaStore, tmp_path: Path, id: str):
    (tmp_path / "secret").write_bytes(PICTURE)
    store.add(PICTURE, "image")
    with pytest.raises(BadMedia, match="not kept here"):
        store.look(id)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", BadMedia),
        (b"text", BadMedia),
        (b"%PDF-1.4", UnsupportedMediaType),
        (PICTURE + bytes(20_000), TooLarge),
    ],
)
def test_what_is_refused_leaves_nothing(
    store: MediaStore, tmp_path: Path, data: bytes, error: type[Exception]
):
    with pytest.raises(error):
        store.add(io.BytesIO(data), "image")
    assert names(tmp_path) == []


def test_old_files_that_nobody_needs_are_removed(store: MediaStore, tmp_path: Path):
    old, needed, new = (store.add(image_bytes(Image.new("L", (2, 2), grey)), "image") for grey in (1, 2, 3))
    for one in (old, needed):
        os.utime(one.path, (0, 0))
    assert store.clean(3600, needed={needed.id}) == 1
    assert set(names(tmp_path)) == {needed.id, new.id}


def test_a_sound_that_is_too_long_is_refused_when_it_comes(tmp_path: Path):
    store = MediaStore(tmp_path, Limits(max_listen_seconds=1))
    with pytest.raises(TooLarge, match="lasts 2 s; at most 1 s"):
        store.add(wav_bytes(Sound(np.zeros((16_000, 1), np.float32), 8_000)), "audio")
    assert list(tmp_path.iterdir()) == []
