"""Pictures in every format and every state, through the REST door, on the detector that is shipped."""

import io
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from inference_chat.service import Service
from tests.media.films import film, grey
from tests.server import Server, serving, settings

ROOT = Path(__file__).parents[2]
SCENE = Image.open(ROOT / "examples" / "inputs" / "scene-3-objects.png").convert("RGB")


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("formats")
    (folder / "models").mkdir()
    (folder / "models" / "starter-detector").symlink_to(ROOT / "model_cards" / "starter-detector")
    with serving(Service(settings(folder, folder / "models"))) as server, _client(server) as client:
        yield client


def _client(server: Server) -> httpx.Client:
    return server.http()


def saved(picture: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def found(http: httpx.Client, data: bytes) -> list[Any]:
    answer = http.post(
        "/inference/image",
        data={"request": json.dumps({"parameters": {"threshold": 0.5}})},
        files={"image": ("picture", data)},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["task"] == "object-detection"
    return sorted(answer.json()["output"], key=lambda one: one["box"]["xmin"])


def turned() -> bytes:
    """As a camera writes it that was held upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(SCENE.rotate(90, expand=True), "JPEG", exif=exif, quality=95)


def clear() -> bytes:
    """With a hole in the alpha channel where nothing is drawn."""
    alpha = Image.new("L", SCENE.size, 255)
    alpha.paste(0, (0, 0, 8, 8))
    picture = SCENE.copy()
    picture.putalpha(alpha)
    return saved(picture, "PNG")


SECOND = {"save_all": True, "append_images": [SCENE.rotate(180)]}
COLOURED = {
    "exif": turned(),
    "alpha": clear(),
    "palette": saved(SCENE.quantize(64), "PNG"),
    "cmyk": saved(SCENE.convert("CMYK"), "JPEG", quality=95),
    "gif": saved(SCENE, "GIF"),
    "webp": saved(SCENE, "WEBP", quality=90),
    "avif": saved(SCENE, "AVIF"),
    "bmp": saved(SCENE, "BMP"),
    "tiff": saved(SCENE, "TIFF"),
    "animated gif": saved(SCENE, "GIF", **SECOND),
    "animated webp": saved(SCENE, "WEBP", quality=90, **SECOND),
    "animated png": saved(SCENE, "PNG", **SECOND),
}


@pytest.mark.parametrize("data", COLOURED.values(), ids=COLOURED)
def test_the_same_objects_are_found_in_pixels_of_the_picture(http: httpx.Client, data: bytes):
    objects = found(http, data)
    assert [one["label"] for one in objects] == ["green hexagon", "red hexagon", "black square"]
    boxes = [list(one["box"].values()) for one in objects]
    assert boxes[0] == pytest.approx([84.7, 54.4, 153.9, 129.7], abs=2)
    assert boxes[1] == pytest.approx([122.8, 131.3, 193.7, 205.7], abs=2)


def test_sixteen_bits_of_grey_are_seen(http: httpx.Client):
    deep = Image.fromarray(np.asarray(SCENE.convert("L")).astype(np.uint16) * 257)
    square = next(one for one in found(http, saved(deep, "PNG")) if one["label"] == "black square")
    assert list(square["box"].values()) == pytest.approx([189.2, 81.4, 231.4, 125], abs=3)


def bomb(side: int) -> bytes:
    """A small file of very many pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes((side + 1) * 50))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


WHOLE = saved(SCENE, "PNG")
BAD = {
    "truncated": (WHOLE[: len(WHOLE) // 2], 400, "damaged or cut off"),
    "corrupt in the middle": (WHOLE[:3000] + b"\xff" * 300 + WHOLE[3300:], 400, "damaged or cut off"),
    "empty": (b"", 400, "is empty"),
    "a text": (b"no picture at all", 400, "no image file"),
    "a clip": (film([grey(1)] * 5), 400, "this is video/mp4"),
    "20k x 20k": (bomb(20_000), 413, "at most 40,000,000 are taken"),
    "a bomb": (bomb(60_000), 413, "at most 40,000,000 are taken"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99), 415, "Convert it to PNG"),
    "a document": (b"%PDF-1.7 and so on", 415, "application/pdf"),
}


@pytest.mark.parametrize(("data", "status", "said"), BAD.values(), ids=BAD)
def test_what_is_no_good_is_told_and_the_next_one_is_looked_at(
    http: httpx.Client, data: bytes, status: int, said: str
):
    answer = http.post("/inference/image", files={"image": ("picture.png", data)}, timeout=60)
    assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text
    assert len(found(http, WHOLE)) == 3
