"""Links, fetched from real servers on this machine; names are resolved by tables of the tests."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from inference_chat.errors import BadMedia, Forbidden, InferenceChatError, TooLarge
from inference_chat.media import Links
from inference_chat.media.links import look_up
from inference_chat.service import Service
from tests import tiny_vision
from tests.server import serving, settings

HERE = ip_network("127.0.0.1/32")
OUTSIDE = "93.184.215.14"


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (20, 10), "red").save(file, "PNG")
    return file.getvalue()


class Site(BaseHTTPRequestHandler):
    """A small site: a picture, and everything that can be wrong with one."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        match self.path.partition("?"):
            case ["/picture.png", _, _]:
                self.tell(200, picture())
            case ["/to", _, place]:
                self.tell(302, b"", Location=place)
            case ["/large", _, _]:
                self.tell(200, b"", **{"Content-Length": str(5 << 20)})
            case ["/endless", _, _]:
                self.tell(200, b"", **{"Transfer-Encoding": "chunked"})
                self.drip(b"10000\r\n" + bytes(65536) + b"\r\n", 100)
            case ["/slow", _, _]:
                self.tell(200, b"", **{"Content-Length": "1000"})
                self.drip(b"x", 100, pause=0.1)
            case ["/packed", _, _]:
                self.tell(200, b"x", **{"Content-Encoding": "gzip"})
            case ["/host", _, _]:
                self.tell(200, str(self.headers["Host"]).encode())
            case _:
                self.tell(404, b"")

    def tell(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            if name != "Content-Length" or "Transfer-Encoding" not in headers:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def drip(self, piece: bytes, times: int, pause: float = 0) -> None:
        self.close_connection = True
        for _ in range(times):
            try:
                self.wfile.write(piece)
            except OSError:
                return
            time.sleep(pause)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def links(tmp_path: Path, site: int) -> Callable[..., Links]:
    def made(resolve: Any = look_up, **more: Any) -> Links:
        fields: dict[str, Any] = {
            "allow_url_media": True,
            "url_media_ports": (80, site),
            "url_media_networks": (HERE,),
        }
        return Links(settings(tmp_path, **fields | {"max_body_mb": 1} | more), resolve)

    return made


def test_a_picture_is_fetched(links: Callable[..., Links], site: int):
    with links().fetch(f"http://127.0.0.1:{site}/picture.png") as file:
        assert file.read() == picture()


def test_a_name_leads_to_the_address_that_was_checked(links: Callable[..., Links], site: int):
    with links(lambda host, port: ["127.0.0.1"]).fetch(f"http://pictures.test:{site}/host") as file:
        assert file.read() == f"pictures.test:{site}".encode()


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("large", TooLarge, "1 MiB"),
        ("endless", TooLarge, "1 MiB"),
        ("nothing", BadMedia, "404"),
        ("packed", BadMedia, "compresses"),
        ("to?/to?/to?/to?/picture.png", BadMedia, "more than 3"),
    ],
)
def test_limits(links: Callable[..., Links], site: int, path: str, error: type[Exception], words: str):
    with pytest.raises(error, match=words):
        links().fetch(f"http://127.0.0.1:{site}/{path}")


def test_a_slow_server_is_left(links: Callable[..., Links], site: int):
    began = time.monotonic()
    with pytest.raises(BadMedia, match=r"too long|too slow"):  # whichever is noticed first
        links(url_media_seconds=0.3).fetch(f"http://127.0.0.1:{site}/slow")
    assert time.monotonic() - began < 8  # all of it would take ten


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001:0:7f00:1:0:0:80ff:fffe",
    ],
)
def test_addresses_that_are_not_public(links: Callable[..., Links], address: str):
    for found in ([address], [OUTSIDE, address]):
        with pytest.raises(Forbidden, match="not public"):
            links(lambda host, port, found=found: found, url_media_networks=()).fetch("http://a.test/x")


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "[::1]", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::ffff:7f00:1]"],
)
def test_spellings_of_this_machine(links: Callable[..., Links], site: int, host: str):
    """As the system resolves them: some are this machine, others are nothing."""
    with pytest.raises((Forbidden, BadMedia), match=r"not public|unknown|no link"):
        links(url_media_networks=()).fetch(f"http://{host}:{site}/picture.png")


def test_public_addresses_are_allowed(links: Callable[..., Links]):
    rules = links(lambda host, port: [OUTSIDE, "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
    assert len(rules._addresses(httpx.URL("http://a.test/x"))) == 2


@pytest.mark.parametrize(
    "place", ["http://inside.test/x", "http://127.0.0.1:1/x", "file:///etc/hostname", "ftp://a.test/x"]
)
def test_a_redirect_is_checked_like_any_link(links: Callable[..., Links], site: int, place: str):
    table = {"127.0.0.1": ["127.0.0.1"], "inside.test": ["10.0.0.1"], "a.test": [OUTSIDE]}
    with pytest.raises(InferenceChatError, match=r"not public|port 1 |plain http|no link|reached"):
        links(lambda host, port: table[host]).fetch(f"http://127.0.0.1:{site}/to?{place}")


def test_a_name_that_changes_its_meaning_is_looked_up_once(links: Callable[..., Links], site: int):
    """DNS rebinding: what was checked is what is connected to."""
    meanings = iter([["127.0.0.1"], ["10.0.0.1"]])
    with links(lambda host, port: next(meanings)).fetch(f"http://a.test:{site}/picture.png") as file:
        assert file.read() == picture()
    assert next(meanings) == ["10.0.0.1"]


@pytest.mark.parametrize(
    "url", ["http://a.test:22/x", "http://u:p@a.test/x", "http:///x", "http://", "http://a b/"]
)
def test_links_that_are_none(links: Callable[..., Links], url: str):
    with pytest.raises((Forbidden, BadMedia)):
        links(lambda host, port: [OUTSIDE]).fetch(url)


def test_no_answer_names_an_address(links: Callable[..., Links]):
    with pytest.raises(BadMedia) as told:
        links(lambda host, port: ["127.0.0.1"], url_media_ports=(9,)).fetch("http://inside.test:9/x")
    assert "127.0.0.1" not in str(told.value)


@contextmanager
def looking(folder: Path, **more: Any) -> Iterator[httpx.Client]:
    tiny_vision.build("ViTForImageClassification", folder / "models" / "tiny-vit")
    with serving(Service(settings(folder, folder / "models", **more))) as server, server.http() as http:
        yield http


def test_links_in_requests(tmp_path: Path, site: int):
    fields = {"allow_url_media": True, "url_media_ports": f"{site}", "url_media_networks": "127.0.0.1/32"}
    with looking(tmp_path, **fields) as http:
        found = http.post("/inference/image", json={"image": f"http://127.0.0.1:{site}/picture.png"})
        assert found.json()["task"] == "image-classification", found.text
        other = http.post("/inference/image", json={"image": f"http://127.0.0.1:{site}/host"})
        assert (other.status_code, other.json()["code"]) == (400, "bad_media")


def test_links_are_refused_unless_allowed(tmp_path: Path, site: int):
    with looking(tmp_path) as http:
        answer = http.post("/inference/image", json={"image": f"http://127.0.0.1:{site}/picture.png"})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
