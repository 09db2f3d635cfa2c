from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from inference_chat.errors import BadMedia, TooLarge
from inference_chat.media import Limits, first_of_several, image_bytes, open_image
from inference_chat.schema import Media

from .inputs import real

RED = (255, 0, 0)
DAMAGED_IS_MEANT = pytest.mark.filterwarnings(
    "ignore:.*EXIF:UserWarning", "ignore:Truncated File Read:UserWarning"
)
EXACTLY: dict[str, dict[str, Any]] = {
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}


def saved(picture: Image.Image, format: str = "PNG", **options) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("format", ["PNG", "BMP", "GIF", "TIFF", "WEBP", "AVIF"])
def test_pictures_survive(format: str):
    picture = Image.new("RGB", (3, 2), RED)
    opened = open_image(saved(picture, format, **EXACTLY.get(format, {})))
    assert (opened.mode, opened.size, opened.getpixel((1, 1))) == ("RGB", (3, 2), RED)
    assert open_image(image_bytes(opened)).tobytes() == picture.tobytes()


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("RGBA", (255, 0, 0, 0), (255, 255, 255)),
        ("RGBA", (255, 0, 0, 255), RED),
        ("LA", (0, 0), (255, 255, 255)),
        ("L", 100, (100, 100, 100)),
        ("1", 1, (255, 255, 255)),
        ("I;16", 65535, (255, 255, 255)),
        ("I;16", 257 * 7, (7, 7, 7)),
    ],
)
def test_every_mode_becomes_rgb_on_white(mode: str, color, expected):
    assert open_image(saved(Image.new(mode, (2, 2), color))).getpixel((0, 0)) == expected


def test_palettes_keep_their_colours_and_transparency():
    picture = Image.new("P", (2, 1), 0)
    picture.putpalette([*RED, 0, 0, 255])
    picture.putpixel((1, 0), 1)
    opened = open_image(saved(picture, transparency=1))
    assert [opened.getpixel((x, 0)) for x in (0, 1)] == [RED, (255, 255, 255)]


def test_cmyk_and_floating_point_are_read():
    assert open_image(saved(Image.new("CMYK", (8, 8)), "JPEG")).getpixel((0, 0)) == (255, 255, 255)
    half = Image.fromarray(np.full((2, 2), 0.5, dtype=np.float32))
    assert open_image(saved(half, "TIFF")).getpixel((0, 0)) == (128, 128, 128)


def test_a_picture_is_turned_as_its_camera_meant_it():
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.new("RGB", (4, 2))
    picture.paste(RED, (0, 0, 1, 1))
    opened = open_image(saved(picture, exif=exif))
    assert (opened.size, opened.getpixel((1, 0))) == ((2, 4), RED)


@pytest.mark.parametrize("format", ["WEBP", "GIF", "PNG", "AVIF", "TIFF"])
def test_of_an_animation_the_first_picture_is_taken(format: str):
    first, second = (Image.new("RGB", (16, 16), color) for color in ("red", "blue"))
    opened = open_image(saved(first, format, save_all=True, append_images=[second]))
    pixel = opened.getpixel((8, 8))
    assert isinstance(pixel, tuple)
    assert pixel == pytest.approx(RED, abs=6)


def test_too_many_pixels_are_refused_before_decoding():
    header_only = saved(Image.new("RGB", (300, 300)))[:60]
    with pytest.raises(TooLarge, match="300 × 300"):
        open_image(header_only, Limits(max_pixels=80_000))


def test_a_bomb_is_refused():
    width = (20_000).to_bytes(4, "big")
    bomb = bytearray(saved(Image.new("1", (1, 1))))
    bomb[16:24] = width + width
    with pytest.raises(TooLarge):
        open_image(fixed_header(bomb))


def fixed_header(png: bytearray) -> bytes:
    """`png` with the checksum that its changed header needs."""
    from zlib import crc32

    png[29:33] = crc32(bytes(png[12:29])).to_bytes(4, "big")
    return bytes(png)


@DAMAGED_IS_MEANT
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF", "GIF"])
def test_a_cut_file_is_refused_or_told(format: str):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    whole = saved(noise, format)
    for length in (12, 40, len(whole) // 2):
        with pytest.raises(BadMedia):
            open_image(whole[:length])


@DAMAGED_IS_MEANT
@given(
    start=st.sampled_from([b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"\xff\xd8\xff"]),
    junk=st.binary(max_size=300),
)
def test_any_bytes_are_a_picture_or_refused(start: bytes, junk: bytes):
    with suppress(BadMedia, TooLarge):
        assert open_image(start + junk).mode == "RGB"


@pytest.mark.parametrize(
    ("name", "size"),
    [("owl.jpg", (512, 384)), ("camera_gray.png", (512, 512)), ("chelsea_cat.png", (451, 300))],
)
def test_real_photographs_open(name: str, size: tuple[int, int]):
    assert open_image(real(name)).size == size


def kept(folder: Path, data: bytes, format: str) -> Media:
    path = folder / format
    path.write_bytes(data)
    return Media(kind="image", id=format, media_type=f"image/{format}", size=len(data), path=path)


@pytest.mark.parametrize("format", ["gif", "png", "webp", "avif", "tiff"])
def test_an_animation_is_known_from_a_still_picture(tmp_path: Path, format: str):
    still, other = Image.new("RGB", (8, 8), RED), Image.new("RGB", (8, 8), "blue")
    moving = saved(still, format.upper(), save_all=True, append_images=[other])
    assert first_of_several([kept(tmp_path, saved(still, format.upper()), format)]) == ()
    (note,) = first_of_several([kept(tmp_path, moving, format)])
    assert note.startswith("The picture has more than one frame")


def test_of_several_pictures_it_is_told_which_one_moves(tmp_path: Path):
    still, other = Image.new("RGB", (8, 8), RED), Image.new("RGB", (8, 8), "blue")
    one = kept(tmp_path, saved(still), "png")
    two = kept(tmp_path, saved(still, "GIF", save_all=True, append_images=[other]), "gif")
    damaged = kept(tmp_path, b"GIF89a", "tiff")
    (note,) = first_of_several([one, damaged, two])
    assert note.startswith("Picture 3 has more than one frame")
