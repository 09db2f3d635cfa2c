"""Files behind http(s) links, fetched without letting anybody reach what only this machine can.

A name is resolved here, every address it has is checked, and the connection goes to an address that
was checked, whatever the name means a moment later (DNS rebinding). Redirects are followed one by one,
each as a link of its own. The guide is OWASP's Server-Side Request Forgery Prevention Cheat Sheet.
"""

import asyncio
import ipaddress
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import BinaryIO, Final, Protocol

import httpx

from ..errors import BadMedia, Forbidden, TooLarge

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Iterable[str]]
REDIRECTS: Final = 3
SILENCE: Final = 5.0
"""Seconds between two pieces at most."""
AT_ONCE: Final = 4
IN_MEMORY: Final = 1 << 20
NAT64 = IPv6Network("64:ff9b::/96")
COMPATIBLE = IPv6Network("::/96")


class Rules(Protocol):
    """What an operator allows; `Settings` has it all."""

    @property
    def allow_url_media(self) -> bool: ...
    @property
    def url_media_ports(self) -> tuple[int, ...]: ...
    @property
    def url_media_networks(self) -> tuple[IPv4Network | IPv6Network, ...]: ...
    @property
    def url_media_seconds(self) -> float: ...
    @property
    def max_body_mb(self) -> int: ...


def look_up(host: str, port: int) -> list[str]:
    """Every address of a host, as the system resolves it."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Links:
    """Fetches links as the operator's rules have it; `resolve` gives the addresses of a host."""

    def __init__(self, rules: Rules, resolve: Resolver = look_up) -> None:
        self._rules = rules
        self._resolve = resolve
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="links")
        self._most = rules.max_body_mb << 20

    async def get(self, url: str) -> BinaryIO:
        """The same as `fetch`, on threads of its own: slow servers keep nobody else waiting."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.fetch, url)

    def fetch(self, url: str) -> BinaryIO:
        """The bytes behind a link, as an open file at its beginning; what they are is not looked at.

        Raises `Forbidden` where the rules do not allow it, `TooLarge`, and `BadMedia` when nothing
        usable comes in time.
        """
        if not self._rules.allow_url_media:
            raise Forbidden(
                "This server fetches no links (ALLOW_URL_MEDIA is off). Send the file itself: "
                "as a data: URL, or in a form."
            )
        deadline = time.monotonic() + self._rules.url_media_seconds
        try:
            with httpx.Client(transport=Checked(self._addresses), trust_env=False) as client:
                return self._follow(client, _parsed(url), deadline)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ssl.SSLError, OSError) as error:
            raise BadMedia(
                f"The link could not be fetched: {_reason(error)}. Send the file itself."
            ) from None

    def _follow(self, client: httpx.Client, url: httpx.URL, deadline: float) -> BinaryIO:
        for _ in range(REDIRECTS + 1):
            with client.stream("GET", url, headers=HEADERS, timeout=min(_left(deadline), SILENCE)) as answer:
                if not answer.has_redirect_location:
                    return self._body(answer, deadline)
                url = url.join(answer.headers["location"])
        raise BadMedia(f"The link leads on more than {REDIRECTS} times; send where it ends.")

    def _body(self, answer: httpx.Response, deadline: float) -> BinaryIO:
        if answer.status_code != 200:
            raise BadMedia(f"The link's server answered {answer.status_code}; send the file itself.")
        told = answer.headers.get("content-length", "0")
        if told.isdecimal() and int(told) > self._most:
            raise TooLarge(self._refusal)
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise BadMedia("The link's server compresses what needs none; send the file itself.")
        kept = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  who asked closes it
        try:
            for block in answer.iter_raw():
                _left(deadline)
                kept.write(block)
                if kept.tell() > self._most:
                    raise TooLarge(self._refusal)
        except BaseException:
            kept.close()
            raise
        kept.seek(0)
        return kept  # type: ignore[return-value]  # it is one in all that is used here

    def _addresses(self, url: httpx.URL) -> list[str]:
        """Addresses of a link's host that may be connected to; `Forbidden` when even one may not."""
        port = url.port or {"http": 80, "https": 443}.get(url.scheme, 0)
        if url.scheme not in ("http", "https") or not url.host or url.userinfo:
            raise Forbidden("Only plain http(s) links are fetched.")
        if port not in self._rules.url_media_ports:
            raise Forbidden(f"Links to port {port} are not fetched here.")
        found = list(self._resolve(url.host, port))
        # One private address among public ones is how a name is made to lead inside at the second try.
        if not found or not all(self._allowed(ipaddress.ip_address(one.partition("%")[0])) for one in found):
            raise Forbidden("Links to addresses that are not public are not fetched here.")
        return found

    def _allowed(self, address: Address) -> bool:
        return named(address, self._rules.url_media_networks) or public(address)

    @property
    def _refusal(self) -> str:
        return f"The file behind the link is larger than the {self._most >> 20} MiB that are taken."


HEADERS = {"User-Agent": "inference-chat", "Accept": "image/*, video/*, audio/*, */*;q=0.1"}
HEADERS |= {"Accept-Encoding": "identity"}  # of little that comes, much could be unpacked


def named(address: Address, networks: Iterable[Network]) -> bool:
    """Whether one of these networks holds an address, or the one that it stands for."""
    meant = {address, *_within(address)}
    return any(one.version == net.version and one in net for net in networks for one in meant)


def public(address: Address) -> bool:
    """Whether an address is of the internet that everybody sees, whatever way it is written."""
    return all(one.is_global and not one.is_multicast for one in (address, *_within(address)))


class Checked(httpx.BaseTransport):
    """Connects to an address that was checked, and speaks as if to the host that was named."""

    def __init__(
        self, addresses: Callable[[httpx.URL], list[str]], context: ssl.SSLContext | None = None
    ) -> None:
        self._addresses = addresses
        self._inner = httpx.HTTPTransport(verify=context or True, retries=0, trust_env=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host, failed = request.url.host, httpx.ConnectError("no address")
        request.extensions = {**request.extensions, "sni_hostname": host}
        named = request.url
        for address in self._addresses(named):
            request.url = named.copy_with(host=address)
            try:
                return self._inner.handle_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failed = httpx.ConnectError(str(error))
        raise failed

    def close(self) -> None:
        self._inner.close()


def _within(address: Address) -> Iterable[Address]:
    """IPv4 addresses that an IPv6 one stands for: mapped, translated (NAT64), 6to4 and Teredo."""
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if address in NAT64 or address in COMPATIBLE:
        yield IPv4Address(address.packed[-4:])


def _parsed(url: str) -> httpx.URL:
    if len(url) > 4096:
        raise BadMedia("The link is longer than 4,096 characters.")
    return httpx.URL(url)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise BadMedia("Fetching the link took too long; send the file itself.")
    return left


def _reason(error: Exception) -> str:
    """What went wrong, in our words: those of the libraries may name addresses of the network inside."""
    match error:
        case httpx.InvalidURL():
            return "it is no link"
        case httpx.TimeoutException():
            return "its server is too slow"
        case socket.gaierror():
            return "its host is unknown"
        case httpx.DecodingError() | httpx.RemoteProtocolError():
            return "its server does not speak HTTP well"
        case _:
            return "its server cannot be reached"
