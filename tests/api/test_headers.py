"""What browsers are told, pages of other origins, and paths that try to leave."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from inference_chat import ui
from inference_chat.service import Service
from tests.server import Server, serving, settings

FRIEND = "https://friend.example"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    service = Service(settings(tmp_path_factory.mktemp("page"), cors_origins=FRIEND))
    with serving(service, ui.build(service), **ui.MOUNT) as server:
        yield server


def policy(answer: httpx.Response) -> dict[str, str]:
    parts = answer.headers["content-security-policy"].split("; ")
    return {name: rest for name, _, rest in (part.partition(" ") for part in parts)}


def test_the_page_may_be_framed_by_its_space_only(page: Server):
    told = policy(httpx.get(page.url, timeout=60))
    assert told["frame-ancestors"] == "'self' https://huggingface.co https://*.hf.space"
    assert told["object-src"] == "'none'"
    assert all("http:" not in value and "*" not in value.split() for value in told.values())


@pytest.mark.parametrize("path", ["/healthz", "/models", "/nowhere", "/gradio_api/info", "/openapi.json"])
def test_data_runs_nothing(page: Server, path: str):
    answer = httpx.get(page.url + path, timeout=60)
    assert policy(answer)["default-src"] == "'none'"
    assert "sandbox" in policy(answer)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"


def test_a_page_that_was_uploaded_runs_nothing(page: Server):
    evil = ("evil.html", b"<script>alert(1)</script>", "text/html")
    sent = httpx.post(f"{page.url}/gradio_api/upload", files={"files": evil}).json()[0]
    answer = httpx.get(f"{page.url}/gradio_api/file={sent}")
    assert "sandbox" in policy(answer)


@pytest.mark.parametrize(("origin", "allowed"), [(FRIEND, True), ("https://evil.example", False)])
@pytest.mark.parametrize("path", ["/models", "/gradio_api/info", "/gradio_api/mcp"])
def test_pages_of_known_origins_only(page: Server, origin: str, allowed: bool, path: str):
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    before = httpx.options(page.url + path, headers=asked)
    assert (before.headers.get("access-control-allow-origin") == origin) is allowed
    after = httpx.get(page.url + path, headers={"Origin": origin})
    assert (after.headers.get("access-control-allow-origin") == origin) is allowed
    crossing = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
    assert (httpx.post(f"{page.url}/cache/clear", headers=crossing).status_code == 200) is allowed


def test_sockets_of_known_origins_only(page: Server):
    session = page.service.sessions.create("everyone").id
    with page.socket(session, origin=FRIEND) as connected:
        assert connected.next()
    with pytest.raises(InvalidStatus, match="403"), page.socket(session, origin="https://evil.example"):
        pass


@pytest.mark.parametrize(
    ("host", "passes"),
    [
        ("127.0.0.1:{port}", True),
        ("localhost:{port}", True),
        ("[::1]:{port}", True),
        ("192.0.2.7", True),
        ("app.localhost", True),
        ("inference", True),
        ("chat.example.org", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example:{port}", False),
        ("evil.example.:{port}", False),
        ("localhost@evil.example", False),
    ],
)
def test_a_name_that_was_lent_to_this_machine_is_refused(tmp_path: Path, host: str, passes: bool):
    """A page of evil.example, which leads to 127.0.0.1 by now, is of one origin with this server."""
    service = Service(settings(tmp_path, allowed_hosts="chat.example.org, other.example.org"))
    with serving(service) as server, server.http() as http:
        told = {"Host": host.format(port=server.port), "Sec-Fetch-Site": "same-origin"}
        for method, path in (("GET", "/chat"), ("POST", "/cache/clear"), ("GET", "/openapi.json")):
            answer = http.request(method, path, headers=told)
            assert answer.is_success is passes, answer.text
            assert passes or "ALLOWED_HOSTS" in answer.json()["detail"]
        session = service.sessions.create("everyone").id
        upgrade = {"Host": told["Host"], "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} | {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
        }
        with http.stream("GET", f"/chat/{session}/ws", headers=upgrade) as answer:
            assert answer.status_code == (101 if passes else 403)


def test_with_a_key_any_name_will_do(tmp_path: Path):
    with serving(Service(settings(tmp_path, api_keys="k"))) as server, server.http() as http:
        told = {"Host": "chat.example.org", "X-API-Key": "k"}
        assert http.get("/chat", headers=told).status_code == 200


def raw(server: Server, path: str) -> bytes:
    """The answer to a path as it stands; clients would tidy it up."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(
    "up", ["../" * 8, "..%2f" * 8, "%2e%2e/" * 8, "..\\" * 8, "..%5c" * 8, "....//" * 8, "/"]
)
@pytest.mark.parametrize("root", ["/media/", "/docs/", "/static/", "/assets/", "/gradio_api/file=", "/"])
def test_no_path_leads_to_a_file_of_the_host(page: Server, root: str, up: str):
    for file in ("etc/passwd", "etc/hostname"):
        said = raw(page, f"{root}{up}{file}")
        assert b"root:" not in said
        assert not said.startswith(b"HTTP/1.1 200") or b"text/html" in said
        assert b"Traceback" not in said


def test_files_are_named_by_nothing_but_their_bytes(page: Server):
    Path("photo.png").write_bytes(b"")
    for id in ("photo.png", "../registry.json", "0" * 64, "A" * 64, "media:" + "0" * 64):
        answer = httpx.get(f"{page.url}/media/{id}")
        assert answer.status_code == 404
        assert str(page.service.settings.media_dir) not in answer.text
