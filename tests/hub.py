"""A small hub on a loopback port: the routes of the Hugging Face hub that its client asks for."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "1" * 40
PIECE = 1 << 14


@dataclass
class Repository:
    """A model of the hub: its files are those of a folder."""

    folder: Path
    downloads: int = 1000
    task: str = "text-generation"
    license: str = "apache-2.0"
    counted: bool = True
    spoil: str = ""
    """A file that is sent damaged."""

    @property
    def files(self) -> dict[str, bytes]:
        paths = (path for path in sorted(self.folder.rglob("*")) if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths}


@dataclass
class Hub:
    """The models by their ids, how quickly they are sent, and what was asked."""

    models: dict[str, Repository]
    url: str = ""
    pause: float = 0.0
    """Seconds between two pieces of 16 KiB."""
    hold_after: int = 0
    """Bytes of weights after which no more are sent, until this is 0 again."""
    break_after: int = 0
    """Bytes after which the connection breaks, once; 0 for never."""
    asked: list[str] = field(default_factory=list)
    sent: int = 0

    def info(self, id: str) -> dict[str, Any]:
        model = self.models[id]
        siblings = []
        for path, content in model.files.items():
            sha1 = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
            one: dict[str, Any] = {"rfilename": path, "size": len(content), "blobId": sha1}
            if path.endswith(".safetensors"):
                sha = hashlib.sha256(content).hexdigest()
                one["lfs"] = {"sha256": sha, "size": len(content), "pointerSize": 130}
            siblings.append(one)
        told = self.listed(id) | {"sha": COMMIT, "siblings": siblings, "cardData": {"license": model.license}}
        return told if model.counted else {k: v for k, v in told.items() if k != "safetensors"}

    def listed(self, id: str) -> dict[str, Any]:
        model = self.models[id]
        return {
            "_id": id,
            "id": id,
            "modelId": id,
            "downloads": model.downloads,
            "likes": 7,
            "private": False,
            "gated": False,
            "pipeline_tag": model.task,
            "tags": ["safetensors", f"license:{model.license}"],
            "lastModified": "2026-01-02T03:04:05.000Z",
            "safetensors": {"parameters": {"F32": 50_000}, "total": 50_000},
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, format: str, *args: Any) -> None:
        return

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        self.hub.asked.append(f"{self.command} {path} {self.headers.get('Range', '')}".strip())
        if path == "/api/models":
            words = parse_qs(parts.query).get("search", [""])[0].lower()
            found = [self.hub.listed(id) for id in self.hub.models if words in id.lower()]
            self._json(sorted(found, key=lambda one: -one["downloads"]))
        elif path.startswith("/api/models/"):
            id = path.removeprefix("/api/models/").partition("/revision/")[0]
            if id in self.hub.models:
                self._json(self.hub.info(id))
            else:
                self._refuse("RepoNotFound")
        else:
            self._file(path)

    def _file(self, path: str) -> None:
        id, _, rest = path.removeprefix("/").partition("/resolve/")
        model = self.hub.models.get(id)
        name = rest.partition("/")[2]
        if model is None or name not in model.files:
            self._refuse("EntryNotFound" if model else "RepoNotFound")
            return
        content = model.files[name]
        if name == model.spoil:
            content = bytes(len(content))
        asked = self.headers.get("Range", "").removeprefix("bytes=")
        start, _, end = asked.partition("-")
        first, last = int(start or 0), min(int(end or len(content) - 1), len(content) - 1)
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.end_headers()
        if self.command == "GET":
            self._send(content[first : last + 1], large=name.endswith(".safetensors"))

    def _send(self, content: bytes, *, large: bool) -> None:
        for start in range(0, len(content), PIECE):
            piece = content[start : start + PIECE]
            if large and self.hub.pause:
                time.sleep(self.hub.pause)
            while large and 0 < self.hub.hold_after <= self.hub.sent:
                time.sleep(0.01)
            self.wfile.write(piece)
            self.hub.sent += len(piece) if large else 0
            if large and 0 < self.hub.break_after <= self.hub.sent:
                self.hub.break_after = 0
                self.close_connection = True
                self.wfile.flush()
                self.connection.shutdown(2)
                return

    def _json(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up in the middle is what the tests are about."""


@contextmanager
def serving_hub(**models: Path | Repository) -> Iterator[Hub]:
    """Serve folders as models of the owner `tests`, until the block ends."""
    given = {
        f"tests/{name}": one if isinstance(one, Repository) else Repository(one)
        for name, one in models.items()
    }
    hub = Hub(given)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
