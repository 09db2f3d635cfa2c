"""One long call, run in pieces on the thread it belongs to.

A pipeline of diffusers is one call that comes back when the picture is done. Here it runs in a greenlet: from
anywhere inside it (between two denoising steps, between two layers) `pause` switches back to whoever
iterates, and the call goes on where it was when the next piece is asked for. No second thread is involved,
which torch would pay for dearly, and the pipeline's own loop stays as its authors tested it.

What torch keeps for each thread (whether gradients are on, the random numbers nobody has seeded) is the
call's own while it runs and everybody else's in between.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import greenlet

T = TypeVar("T")
PIECE_SECONDS = 0.05
"""How long layers run before others get their turn."""


class Lane:
    """Whose step is under way. Modules may keep things for the length of a call: one at a time is in one."""

    def __init__(self) -> None:
        self.holder: object | None = None


class Pieces(Generic[T]):
    """Iterate to run `call`; yields what it `pause`s with, and None where there is nothing to tell.

    `result` is what it returned, `seconds` how long it has run so far. `end` (also on leaving the `with`
    block) stops it where it is: its own clean-up runs, nothing else. Between two items that are not None
    nobody else of the same lane runs.
    """

    result: T

    def __init__(self, call: Callable[[], T], lane: Lane, seed: int) -> None:
        import torch

        self.seconds = 0.0
        self._greenlet = _Call(call)
        self._lane = lane
        self._own = (torch.is_grad_enabled(), torch.Generator().manual_seed(seed).get_state())

    def __enter__(self) -> "Pieces[T]":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def __iter__(self) -> Iterator[Any]:
        while True:
            if self._lane.holder not in (None, self):
                yield None
                continue
            self._lane.holder = self
            found = self._switched(self._greenlet.switch)
            if found is not None or self._greenlet.dead:
                self._lane.holder = None
            if self._greenlet.dead:
                self.result = found
                return
            yield found

    def end(self) -> None:
        """Stop the call if it has not ended."""
        try:
            if bool(self._greenlet):  # begun, and not ended
                self._switched(self._greenlet.throw)
        finally:
            if self._lane.holder is self:
                self._lane.holder = None

    def _switched(self, into: Callable[[], Any]) -> Any:
        self._greenlet.parent = greenlet.getcurrent()
        self._greenlet.since = time.monotonic()
        others = _state()
        _restore(self._own)
        try:
            return into()
        except BaseException:
            self._lane.holder = None
            raise
        finally:
            self.seconds += time.monotonic() - self._greenlet.since
            self._own = _state()
            _restore(others)


class _Call(greenlet.greenlet):
    since: float


def pause(item: Any = None) -> None:
    """Give the turn away, inside a call that runs in pieces; elsewhere nothing happens."""
    current = greenlet.getcurrent()
    if isinstance(current, _Call):
        _give_turn(current, item)


def breathe(*_: object) -> None:
    """`pause` when others have waited long enough; made to be a forward hook of a layer."""
    current = greenlet.getcurrent()
    if isinstance(current, _Call) and time.monotonic() - current.since > PIECE_SECONDS and _plain():
        _give_turn(current, None)


def let_breathe(model: Any) -> None:
    """Have every layer of a model give the turn away now and then."""
    from torch import nn

    for group in model.modules():
        if isinstance(group, nn.ModuleList):
            for layer in group:
                if layer is not None:  # where a block does without
                    layer.register_forward_pre_hook(breathe)


def _give_turn(call: _Call, item: Any) -> None:
    assert call.parent is not None
    call.parent.switch(item)


def _plain() -> bool:
    """Whether no other mode of torch is on that belongs to the thread and would reach others."""
    import torch

    return not torch.is_inference_mode_enabled() and not torch.is_autocast_enabled("cpu")


def _state() -> tuple[bool, Any]:
    import torch

    return torch.is_grad_enabled(), torch.get_rng_state()


def _restore(state: tuple[bool, Any]) -> None:
    import torch

    torch.set_grad_enabled(state[0])
    torch.set_rng_state(state[1])
