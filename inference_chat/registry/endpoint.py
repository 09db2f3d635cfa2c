"""A model that another server runs: where it is, and by which variable its key is known."""

import re
from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from ..schema import Frozen

VARIABLE: Final = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"


class Endpoint(Frozen):
    """An OpenAI-compatible or Hugging Face endpoint, as vLLM, TGI, SGLang or this very program have it."""

    url: str = Field(
        max_length=2000,
        description="What OpenAI's clients call the base URL, as `https://example.org/v1`.",
        examples=["http://10.0.0.5:8000/v1"],
    )
    model: str = Field(
        "",
        max_length=300,
        description="The model's name over there; where the endpoint has only one, that may be left out.",
    )
    key_env: str | None = Field(
        None,
        pattern=VARIABLE,
        description="The name of the environment variable that holds the key; the key itself is never kept. "
        "The operator names it, with the host it is meant for, in `ENDPOINT_KEYS`.",
    )
    timeout_s: float = Field(
        60, gt=0, le=3600, description="Seconds without a word from the endpoint, after which it is given up."
    )

    @field_validator("url")
    @classmethod
    def _plain(cls, url: str) -> str:
        if re.search(r"[\s\x00-\x1f]", url):
            raise ValueError("no spaces or control characters")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an http(s) URL is needed, as https://example.org/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("leave out names, passwords, `?` and `#`: a key goes into `key_env`")
        return url.rstrip("/")

    @property
    def host(self) -> str:
        """The name or address of the server, without its port."""
        return urlsplit(self.url).hostname or ""

    @property
    def base(self) -> str:
        """The URL that routes are added to: it ends in `/v1`."""
        trimmed = self.url.removesuffix("/chat/completions")
        return trimmed if re.search(r"/v\d+(\w*)$", trimmed) else f"{trimmed}/v1"
