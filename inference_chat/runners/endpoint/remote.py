"""Where a model is that another server runs, who may be called, and with which key."""

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from ...errors import EndpointUnavailable, Forbidden
from ...media.links import Network, Resolver, look_up, named, public
from ...registry.endpoint import Endpoint


@dataclass(frozen=True)
class Remote:
    """An endpoint with the operator's rules; `key` reads the key anew for each call, and nothing keeps it."""

    name: str
    endpoint: Endpoint
    key: Callable[[], str | None] = field(default=lambda: None, repr=False)
    networks: tuple[Network, ...] = ()
    resolve: Resolver = look_up

    def addresses(self, url: httpx.URL) -> list[str]:
        """The addresses of the endpoint's host, all of them checked.

        Raises `Forbidden` where even one is neither public nor in a network that the operator has named, or
        where a key would go over a public network unencrypted; `EndpointUnavailable` for an unknown host.
        """
        port = url.port or {"http": 80, "https": 443}.get(url.scheme, 0)
        try:
            found = list(self.resolve(url.host, port))
        except (socket.gaierror, UnicodeError):
            raise EndpointUnavailable(
                f"{self.name}: the host {url.host} is unknown; look at its URL."
            ) from None
        meant = [ipaddress.ip_address(one.partition("%")[0]) for one in found]
        inside = bool(meant) and all(named(one, self.networks) for one in meant)
        if not inside and not (meant and all(named(one, self.networks) or public(one) for one in meant)):
            raise Forbidden(
                f"{url.host} is not at a public address. Where it is a server of your own, its operator "
                "allows it by ENDPOINT_NETWORKS, as ENDPOINT_NETWORKS=127.0.0.1/32 or 10.0.0.0/8."
            )
        if url.scheme == "http" and not inside and self.endpoint.key_env:
            raise Forbidden("A key is sent over https only, or within ENDPOINT_NETWORKS; give an https URL.")
        return found
