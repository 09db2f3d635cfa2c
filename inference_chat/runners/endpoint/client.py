"""The client of the Hugging Face hub, with connections of our own.

Its own connections follow redirects, believe proxies of the environment, take the account of whoever has
logged in along, and cannot be closed from outside.
"""

import json
import ssl
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final, NoReturn

import httpx
from huggingface_hub import InferenceClient

from ...errors import (
    DeadlinePassed,
    EndpointUnavailable,
    InferenceChatError,
    InvalidRequest,
    ModelFailed,
)
from ...media.links import Checked
from ...schema import JSON
from .line import Line
from .remote import Remote

CONNECT: Final = 10.0
PASSING: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Statuses after which the same request may succeed."""
LONGEST_TOLD: Final = 300


@lru_cache(maxsize=1)
def _context() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


class Client(InferenceClient):
    """One call of an endpoint; use it as a context."""

    def __init__(self, remote: Remote, line: "Line[Any]") -> None:
        endpoint = remote.endpoint
        # The key is added below; with none given, that of the account on this machine would be sent.
        super().__init__(base_url=f"{endpoint.base}/chat/completions", api_key="unused")
        self._remote = remote
        self._line = line
        self._key = remote.key()
        self.extra: JSON = {}
        """Fields of the body as they are meant, which the hub's client would write in its own way."""
        timeout = httpx.Timeout(endpoint.timeout_s, connect=min(CONNECT, endpoint.timeout_s))
        self._http = self.exit_stack.enter_context(
            httpx.Client(transport=Checked(remote.addresses, _context()), timeout=timeout, trust_env=False)
        )

    def _inner_post(self, request_parameters: Any, *, stream: bool = False) -> Any:
        told = request_parameters
        body = {**told.json, **self.extra} if isinstance(told.json, dict) else None
        return self.stream(told.url, body) if stream else self.send("POST", told.url, json=body).content

    def send(self, method: str, url: str, **more: Any) -> httpx.Response:
        """A whole answer; a `url` without a host is a route of the endpoint. Raises what went wrong."""
        try:
            answer = self._http.request(method, self._whole(url), **self._told(), **more)
        except Exception as error:  # noqa: BLE001 - libraries raise what they like; all of it is translated
            self._fail(error)
        self._check(answer)
        return answer

    def stream(self, url: str, body: JSON | None) -> Iterator[str]:
        """The lines of a streamed answer; raises what went wrong, also in the midst of it."""
        try:
            with self._http.stream("POST", self._whole(url), json=body, **self._told()) as answer:
                if answer.status_code != 200:
                    answer.read()
                    self._check(answer)
                for line in answer.iter_lines():
                    self._look_at(line)
                    yield line
        except Exception as error:  # noqa: BLE001 - libraries raise what they like; all of it is translated
            self._fail(error)

    def _whole(self, url: str) -> str:
        return url if url.startswith("http") else f"{self._remote.endpoint.base}/{url}"

    def _told(self) -> dict[str, Any]:
        headers = {"User-Agent": "inference-chat", "Accept-Encoding": "identity"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        return {"headers": headers, "extensions": {"trace": self._line.trace}}

    def _look_at(self, line: str) -> None:
        """Raises what a line of a stream tells of a failure."""
        if line.startswith("data:") and '"error"' in line:
            told = json.loads(line[5:])
            if isinstance(told, dict) and told.get("error"):
                raise ModelFailed(f"{self._remote.name} failed over there: {self._sentence(told)}")

    def _check(self, answer: httpx.Response) -> None:
        """Raises what an answer's status says."""
        status, name, url = answer.status_code, self._remote.name, self._remote.endpoint.base
        if status < 300:
            return
        said = self._sentence(_json(answer))
        if status in (401, 403):
            variable = self._remote.endpoint.key_env
            hint = (
                f"the key in {variable} is wrong, or not meant for this" if variable else "it asks for a key"
            )
            raise ModelFailed(f"{name}: the endpoint refuses this server ({status}): {hint}; see `key_env`.")
        if status in PASSING:
            wait = answer.headers.get("retry-after", "")
            pause = float(wait) if wait.replace(".", "", 1).isdigit() else 0.0
            raise EndpointUnavailable(f"{name}: the endpoint answered {status}{_colon(said)}", pause)
        if status < 400:
            raise ModelFailed(f"{name}: the endpoint leads elsewhere; register the URL where it ends.")
        if status in (404, 405):
            raise ModelFailed(
                f"{name}: there is nothing for this at {url} ({status}){_colon(said)} Give the URL that "
                "OpenAI's clients take as base URL, and a model that is listed at its /models."
            )
        raise InvalidRequest(f"{name}: the endpoint refuses this ({status}){_colon(said)}")

    def _sentence(self, told: Any) -> str:
        """The endpoint's own words, in its or another's shape, without the key."""
        found = told.get("error", told) if isinstance(told, dict) else ""
        if isinstance(found, dict):
            found = next((found[key] for key in ("message", "detail", "title") if found.get(key)), "")
        said = " ".join(str(found).split())
        return (said.replace(self._key, "…") if self._key else said)[:LONGEST_TOLD]

    def _fail(self, error: Exception) -> NoReturn:
        name, seconds = self._remote.name, self._remote.endpoint.timeout_s
        match error:
            case InferenceChatError():
                raise error
            case httpx.ConnectTimeout() | httpx.ConnectError():
                raise EndpointUnavailable(
                    f"{name}: its endpoint cannot be reached; see that it runs, and that its URL is right."
                ) from None
            case httpx.TimeoutException():
                raise DeadlinePassed(
                    f"{name}: its endpoint said nothing for {seconds:g} s; try again, or raise `timeout_s`."
                ) from None
            case ValueError() | TypeError() | KeyError():
                raise ModelFailed(f"{name}: its endpoint does not speak as OpenAI's does.") from error
            case _:
                raise EndpointUnavailable(
                    f"{name}: the connection to its endpoint broke; try again."
                ) from None


def _colon(said: str) -> str:
    return f": {said}" if said else "."


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def listed(remote: Remote) -> list[JSON]:
    """What the endpoint serves, as its `/models` tells; raises what is wrong with it."""
    with Client(remote, Line()) as client:
        found = _json(client.send("GET", "models"))
    models = found.get("data") if isinstance(found, dict) else found
    if not isinstance(models, list) or not all(isinstance(one, dict) and "id" in one for one in models):
        raise ModelFailed(
            f"{remote.endpoint.base}/models does not list models as OpenAI's does; give the URL that "
            "OpenAI's clients take as base URL, which often ends in /v1."
        )
    return models
