import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_chat.errors import BadMedia, TooLarge, UnsupportedMediaType
from inference_chat.media import Limits, check, data_url, from_data_url, sniff

PNG = b"\x89PNG\r\n\x1a\n"


@given(data=st.binary(max_size=200))
def test_bytes_survive_a_data_url(data: bytes):
    assert from_data_url(data_url(data, "image/png"), Limits()) == data


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64,aGk=",
        "DATA:;BASE64,aGk=",
        "aGk",
        "a\nGk=",
        "data:,hi",
        "data:text/plain,%68i",
    ],
)
def test_data_urls_as_people_write_them(url: str):
    assert from_data_url(url, Limits()) == b"hi"


@pytest.mark.parametrize("url", ["data:image/png;base64", "data:;base64,§§", "data:;base64,a", "not base64!"])
def test_broken_data_urls_are_refused(url: str):
    with pytest.raises(BadMedia, match="base64"):
        from_data_url(url, Limits())


def test_a_long_data_url_is_refused_before_it_is_decoded():
    with pytest.raises(TooLarge, match="1,000"):
        from_data_url("data:;base64," + "§" * 5000, Limits(max_bytes=1000))


@given(data=st.binary(max_size=80))
def test_any_bytes_can_be_looked_at(data: bytes):
    assert sniff(data) is None or "/" in str(sniff(data))


@pytest.mark.parametrize(
    ("data", "kind", "error", "words"),
    [
        (b"", "image", BadMedia, "empty"),
        (b"hello", "image", BadMedia, "PNG"),
        (b"hello", "audio", BadMedia, "WAV"),
        (PNG, "audio", BadMedia, "image/png"),
        (b"RIFF____WAVE", "image", BadMedia, "audio/wav"),
        (b"%PDF-1.7", "image", UnsupportedMediaType, "Convert"),
        (b"....ftypheic", "image", UnsupportedMediaType, "heic"),
        (PNG * 200, "image", TooLarge, "1,000"),
    ],
)
def test_files_that_are_not_what_they_should_be(data: bytes, kind, error, words: str):
    with pytest.raises(error, match=words):
        check(data, kind, Limits(max_bytes=1000))


def test_a_playlist_is_no_media():
    playlist = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"
    for kind in ("audio", "video"):
        with pytest.raises(BadMedia):
            check(playlist, kind, Limits())
