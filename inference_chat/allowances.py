"""How much a caller may ask for: requests in a short time, and what they use of models in a longer one."""

import time
from collections.abc import Callable
from contextvars import ContextVar

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

from .errors import QuotaUsed, RateLimited
from .settings import Settings

PAYER: ContextVar[str] = ContextVar("payer", default="")
"""Whose quota pays for what the present task begins; set when a call is admitted, handed on to tasks."""


class Allowances:
    """The limits of `RATE_LIMIT` and `QUOTA`, counted in memory, for each caller apart."""

    def __init__(self, settings: Settings) -> None:
        storage = MemoryStorage()
        self._rate = None if settings.rate_limit == "off" else parse(settings.rate_limit)
        self._requests, self._tokens = _quotas(settings.quota)
        self._recent = MovingWindowRateLimiter(storage)
        self._used = FixedWindowRateLimiter(storage)

    def admit(self, who: str) -> None:
        """Count a call of any kind, and let `who` pay for what comes of it; raises `RateLimited`."""
        PAYER.set(who)
        if self._rate is not None and not self._recent.hit(self._rate, who):
            wait = _wait(self._recent.get_window_stats(self._rate, who).reset_time)
            raise RateLimited(f"More than {self._rate} calls; try again in {wait:.0f} s.", retry_after=wait)

    def require(self, requests: int = 1) -> None:
        """Raises `QuotaUsed` when the present payer has not so many requests, or no tokens, left."""
        who = PAYER.get()
        for unit, items, cost in (("requests", self._requests, requests), ("tokens", self._tokens, 1)):
            for item in items:
                if who and not self._used.test(item, unit, who, cost=cost):
                    wait = _wait(self._used.get_window_stats(item, unit, who).reset_time)
                    said = f"The quota of {item.amount:,} {unit} per {_window(item)} is used up"
                    raise QuotaUsed(f"{said}; it begins anew in {_span(wait)}.", retry_after=wait)

    def begin(self) -> Callable[[int], None]:
        """Count a request to a model; gives what is to be told of its tokens. Raises as `require`."""
        self.require()
        who = PAYER.get()

        def charge(unit: str, items: list[RateLimitItem], cost: int) -> None:
            for item in items if who and cost else ():
                self._used.hit(item, unit, who, cost=cost)

        charge("requests", self._requests, 1)
        return lambda tokens: charge("tokens", self._tokens, tokens)


def _quotas(said: str) -> tuple[list[RateLimitItem], list[RateLimitItem]]:
    """The limits of requests and those of tokens in a setting like `1000/day, 500000 tokens/day`."""
    requests: list[RateLimitItem] = []
    tokens: list[RateLimitItem] = []
    for part in said.split(",") if said != "off" else ():
        bare = part.replace("requests", "").replace("tokens", "")
        (tokens if "tokens" in part else requests).append(parse(bare.strip()))
    return requests, tokens


def _wait(until: float) -> float:
    return max(1.0, until - time.time())


def _window(item: RateLimitItem) -> str:
    name = item.GRANULARITY.name
    return name if item.multiples == 1 else f"{item.multiples} {name}s"


def _span(seconds: float) -> str:
    return f"{seconds / 3600:.0f} hours" if seconds > 7200 else f"{seconds:.0f} s"
