"""Who is calling: which keys are accepted, and whose conversations a caller sees."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping

from .errors import Unauthorized
from .schema import Frozen
from .settings import Settings

KEY_COOKIE = "inference_chat_key"
VISITOR_COOKIE = "inference_chat_visitor"
EVERYONE = "everyone"


class Caller(Frozen):
    """One who asks: `owner` is whose conversations they see, `address` where they come from."""

    owner: str
    address: str


class Access:
    """The operator's rules about callers; keys are held and compared as digests only."""

    def __init__(self, settings: Settings) -> None:
        self._tokens = tuple(_digest(key.get_secret_value()) for key in settings.api_keys)
        self._private = settings.private_history

    @property
    def keyed(self) -> bool:
        """Whether callers need a key."""
        return bool(self._tokens)

    @property
    def by_visitor(self) -> bool:
        """Whether a browser needs a cookie to see its own conversations again."""
        return self._private and not self.keyed

    def sign_in(self, key: str) -> str | None:
        """What a browser keeps in `KEY_COOKIE` instead of the key; None when the key is wrong."""
        return self._known(_digest(key.strip()))

    def identify(self, headers: Mapping[str, str], cookies: Mapping[str, str], address: str) -> Caller:
        """The caller behind a request, whose header names are in lower case.

        Raises `Unauthorized` when a key is needed and none of those given is right.
        """
        if self.keyed:
            return Caller(owner=f"key:{self._token(headers, cookies)[:32]}", address=address)
        if not self._private:
            return Caller(owner=EVERYONE, address=address)
        visitor = cookies.get(VISITOR_COOKIE, "")
        return Caller(owner=f"visitor:{visitor}" if visitor else f"address:{address}", address=address)

    def _token(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> str:
        offered = [_digest(key) for key in _keys(headers)] + [cookies.get(KEY_COOKIE, "")]
        known = (self._known(token) for token in offered)
        if token := next((token for token in known if token), None):
            return token
        raise Unauthorized(
            "This server asks for a key: send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`, "
            "or sign in at /signin."
        )

    def _known(self, token: str) -> str | None:
        # Every key is compared, so that the time taken tells nothing about which one was close.
        matches = [known for known in self._tokens if hmac.compare_digest(known.encode(), token.encode())]
        return matches[0] if matches else None


def new_visitor() -> str:
    """A fresh value for `VISITOR_COOKIE`; it cannot be guessed."""
    return secrets.token_urlsafe(24)


def _keys(headers: Mapping[str, str]) -> Iterable[str]:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        yield key.strip()
    if key := headers.get("x-api-key", "").strip():
        yield key


def _digest(key: str) -> str:
    """What stands for a key in cookies and in memory; the key cannot be computed from it."""
    return hmac.new(b"inference-chat sign-in", key.encode(), hashlib.sha256).hexdigest()
