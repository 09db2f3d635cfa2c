"""The contract of every runner: one model, loaded, answering requests on one inference thread."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from threading import Event as Flag
from typing import ClassVar

from ..errors import UnsupportedTask
from ..events import Event
from ..schema import Request
from .checkpoint import Checkpoint
from .device import Placement
from .parking import park
from .pieces import Piece, pieces


class Runner(ABC):
    """A model and what it can do.

    All but `estimate` are only ever called on the model's inference thread; that one may be called
    anywhere and imports nothing heavy.
    """

    capabilities: ClassVar[tuple[str, ...]] = ()
    """What it is called by people, besides the words of its tasks."""
    speaks: bool = False
    """Whether its answers can be asked for in a voice of its own, beside their words."""

    patience: float = 30.0
    """Seconds after which a run that gives no turn away is given up (`INFERENCE_TIMEOUT_MS`)."""

    def __init__(self, checkpoint: Checkpoint, placement: Placement) -> None:
        self.checkpoint = checkpoint
        self.placement = placement

    @classmethod
    def abilities(cls, checkpoint: Checkpoint) -> tuple[str, ...]:
        """`capabilities`, and what these very files add to them."""
        return cls.capabilities

    @classmethod
    def estimate(cls, checkpoint: Checkpoint, bytes_per_element: int) -> int:
        """Bytes of memory that the loaded model is expected to take, work space included."""
        return checkpoint.tensors.elements * bytes_per_element * 5 // 4

    def imports(self) -> None:  # noqa: B027 - most import nothing large
        """Before `load`, import what stays when the model has gone: its memory is not the model's."""

    @abstractmethod
    def load(self) -> None:
        """Bring the weights into memory; raises `InvalidModel` when they do not fit the architecture."""

    @abstractmethod
    def run(self, request: Request, stop: Flag) -> Iterator[Event]:
        """Answer a request step by step; the last event is `Finished`, with its usage and reasons.

        Between two steps other requests run. Each step looks at `stop`; once it is set, the run ends
        with the reason `cancelled`.
        """

    def tokens(self, text: str) -> tuple[Piece, ...]:
        """How the model's tokenizer splits a text; raises `UnsupportedTask` where it has none."""
        reader = getattr(self, "_processor", None) or getattr(self, "_reader", None)
        tokenizer = getattr(self, "_tokenizer", None) or getattr(reader, "tokenizer", None)
        if tokenizer is None:
            raise UnsupportedTask(f"{self.checkpoint.name} reads no text, so it has no tokens of one.")
        return pieces(tokenizer, text)

    def park(self, least: float) -> int:
        """Give back the memory of the weights and stay ready to run; how many bytes that were.

        0, and nothing is done, where it would be less than `least`.
        """
        return park(self.checkpoint.files, least)

    def wake(self) -> Iterator[None]:
        """What a parked model needs before it runs again; between two steps others run."""
        yield from ()

    def settle(self) -> Iterator[None]:
        """What makes it as quick again as it was, while it is running already."""
        yield from ()

    @abstractmethod
    def unload(self) -> None:
        """Drop every reference to the weights."""
