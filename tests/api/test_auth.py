from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets import InvalidStatus

from inference_chat.access import KEY_COOKIE, VISITOR_COOKIE
from inference_chat.service import Service
from tests.server import Server, serving, settings

KEY = "correct-horse"
BROWSER = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    service = Service(settings(tmp_path_factory.mktemp("keyed"), api_keys=f"other-key, {KEY}"))
    with serving(service) as server:
        yield server


@pytest.mark.parametrize(
    "path", ["/models", "/chat", "/stats", "/metrics", "/cache/stats", "/docs", "/", "/gone"]
)
def test_every_path_asks_for_a_key(keyed: Server, path: str):
    answer = httpx.get(keyed.url + path)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/signin"])
def test_some_paths_are_open(keyed: Server, path: str):
    assert httpx.get(keyed.url + path).status_code in (200, 503)


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Authorization", f"Bearer {KEY}", 200),
        ("Authorization", f"bearer {KEY}", 200),
        ("X-API-Key", KEY, 200),
        ("X-API-Key", "other-key", 200),
        ("X-API-Key", "", 401),
        ("X-API-Key", KEY + "x", 401),
        ("Authorization", f"Basic {KEY}", 401),
        ("Authorization", KEY, 401),
        ("Cookie", f"{KEY_COOKIE}={KEY}", 401),
        ("Cookie", f"{VISITOR_COOKIE}=somebody", 401),
    ],
)
def test_keys(keyed: Server, header: str, value: str, status: int):
    assert httpx.get(f"{keyed.url}/models", headers={header: value}).status_code == status


def test_sockets_ask_for_a_key(keyed: Server):
    with pytest.raises(InvalidStatus, match="401"), keyed.socket("any"):
        pass
    with keyed.socket("any", additional_headers={"X-API-Key": KEY}) as socket:
        assert socket.next()["code"] == "session_not_found"


def test_a_browser_signs_in_and_out(keyed: Server):
    with keyed.http(headers=BROWSER) as browser:
        asked = browser.get("/chat", follow_redirects=True)
        assert (asked.url.path, asked.url.params["next"]) == ("/signin", "/chat")
        entered = browser.post("/signin", data={"key": f" {KEY} ", "next": "/chat"})
        assert (entered.status_code, entered.headers["location"]) == (303, "/chat")
        cookie = entered.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert KEY not in cookie
        assert browser.get("/chat").json() == {"items": [], "has_more": False}
        browser.post("/signout")
        assert browser.get("/chat").status_code == 303


def test_a_wrong_key_does_not_sign_in(keyed: Server):
    answer = httpx.post(f"{keyed.url}/signin", data={"key": "wrong"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "next", ["https://evil.example", "//evil.example", "/\\evil.example", "x", "/a\r\nb: c"]
)
def test_signing_in_leads_nowhere_else(keyed: Server, next: str):
    answer = httpx.post(f"{keyed.url}/signin", data={"key": KEY, "next": next})
    assert answer.headers["location"] == "/"


def test_the_page_shows_no_markup_of_others(keyed: Server):
    page = httpx.get(f"{keyed.url}/signin", params={"next": '/"><script>alert(1)</script>'})
    assert "<script>" not in page.text


def test_each_key_has_its_own_conversations(keyed: Server):
    owner = keyed.service.identify({"x-api-key": KEY}, {}, "").owner
    made = keyed.service.sessions.create(owner)
    assert KEY not in owner
    for key, found in ((KEY, [made.id]), ("other-key", [])):
        items = httpx.get(f"{keyed.url}/chat", headers={"X-API-Key": key}).json()["items"]
        assert [item["session_id"] for item in items] == found


def test_each_browser_has_its_own_conversations(tmp_path: Path):
    service = Service(settings(tmp_path, history="private"))
    with serving(service) as server, server.http(headers=BROWSER) as one, server.http(headers=BROWSER) as two:
        assert "set-cookie" not in one.get("/healthz").headers
        for browser in (one, two):
            cookie = browser.get("/chat").headers["set-cookie"].lower()
            assert "httponly" in cookie
            assert "samesite=lax" in cookie
        assert len({service.identify({}, dict(browser.cookies), "x").owner for browser in (one, two)}) == 2
        made = service.sessions.create(service.identify({}, dict(one.cookies), "x").owner)
        assert [item["session_id"] for item in one.get("/chat").json()["items"]] == [made.id]
        assert two.get(f"/chat/{made.id}").status_code == 404
        assert "set-cookie" not in one.get("/chat").headers


def test_a_shared_history_needs_no_cookie(server: Server):
    assert "set-cookie" not in httpx.get(f"{server.url}/chat", headers=BROWSER).headers
