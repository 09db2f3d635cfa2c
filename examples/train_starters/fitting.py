"""The one way in which the small models are fitted: seeded batches, checkpoints, averaged weights."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from examples.train_starters import checkpoint
from examples.train_starters.budget import Budget, learning_rate
from examples.train_starters.optim import Average, Optimizers

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Plan:
    """Where a model goes, and for how long it is trained."""

    out: Path
    work: Path
    minutes: float = 5.0
    steps: int | None = None
    seed: int = 0
    device: str = "auto"
    threads: int = 1
    rate: float = 3e-3
    filters: bool = False
    autocast: bool = True
    decay: float = 0.99
    save_every: float = 100.0


class Fitting:
    """A model on its way.

    `batches(at)` yields the batches of buffer `at`; `loss(model, batch, progress)` is one number, `progress`
    the share of the budget that is used up.
    """

    def __init__(
        self,
        plan: Plan,
        model: nn.Module,
        loss: Callable[[Any, Batch, float], torch.Tensor],
        batches: Callable[[int], Iterator[Batch]],
    ) -> None:
        self.plan, self.model, self._loss, self._batches = plan, model, loss, batches
        self.device = device(plan.device)
        torch.set_num_threads(plan.threads)
        model.to(self.device)
        self.optimizers = Optimizers(model, plan.rate, plan.rate, plan.filters)
        self.average = Average(model, plan.decay)
        self.step, self.buffer = 0, 0
        self.budget = Budget(plan.minutes, plan.steps)
        self._take_up()

    @property
    def progress(self) -> float:
        """The share of the budget that is used up."""
        return self.budget.progress(self.step)

    def run(self) -> None:
        """Trains to the end of the budget, saving on the way, and leaves the averaged weights in the
        model."""
        saved = time.monotonic()
        while self.progress < 1:
            for batch in self._batches(self.buffer):
                if self.progress >= 1:
                    break
                self._learn({name: tensor.to(self.device) for name, tensor in batch.items()})
                if time.monotonic() - saved > self.plan.save_every:
                    self.save()
                    saved = time.monotonic()
            self.buffer += 1
        self.save()
        self.model.load_state_dict(self.average.weights)
        self.model.eval()

    def _learn(self, batch: Batch) -> None:
        self.model.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.plan.autocast):
            loss = self._loss(self.model, batch, self.progress)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizers.step(learning_rate(self.progress, self.step))
        self.average.update(self.model, self.step)
        if self.step % 50 == 0:
            self.budget.show(self.step, f"loss {float(loss.detach()):.3f}")
        self.step += 1

    def save(self) -> None:
        """A checkpoint."""
        state = {
            "model": self.model.state_dict(),
            "average": self.average.weights,
            "optimizers": self.optimizers.state_dict(),
            "step": self.step,
            "buffer": self.buffer,
            "spent": self.budget.seconds,
        }
        checkpoint.save(self.plan.work / "checkpoint.pt", state)

    def facts(self) -> dict[str, object]:
        """How the weights came about."""
        return {
            "steps": self.step,
            "minutes": round(self.budget.seconds / 60, 1),
            "threads": self.plan.threads,
            "device": str(self.device),
            "seed": self.plan.seed,
        }

    def _take_up(self) -> None:
        state = checkpoint.load(self.plan.work / "checkpoint.pt")
        if state is None:
            return
        self.model.load_state_dict(state["model"])
        self.average.weights = {name: tensor.to(self.device) for name, tensor in state["average"].items()}
        self.optimizers.load_state_dict(state["optimizers"])
        self.step, self.buffer, self.budget.spent = state["step"], state["buffer"], state["spent"]
        print(f"going on from step {self.step}, {self.budget.spent / 60:.1f} min", file=sys.stderr)


def device(name: str) -> torch.device:
    """The device of this name, the accelerator where there is one for `auto`."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
