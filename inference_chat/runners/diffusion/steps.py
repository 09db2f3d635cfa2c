"""Where one denoising step of a pipeline ends: in its scheduler, which every pipeline asks once a step."""

import functools
from typing import Any, NamedTuple

from ...errors import ModelFailed
from .pieces import pause


class Step(NamedTuple):
    """One denoising step: the latents after it, and what they would be without the noise that is left."""

    latents: Any
    guess: Any


def watched(scheduler: Any) -> Any:
    """A scheduler whose every step gives the turn away; raises `ModelFailed` for numbers not finite."""
    import torch

    plain = scheduler.step

    @functools.wraps(plain)  # pipelines look at its parameters
    def step(*args: Any, **kwargs: Any) -> Any:
        clean = _clean_of_flow(scheduler, args)
        out = plain(*args, **kwargs)
        if not bool(torch.isfinite(out[0]).all()):
            raise ModelFailed(
                "The model produced numbers that are not finite; try another dtype (DTYPE=float32)."
            )
        pause(Step(out[0], _guess(scheduler, out, clean)))
        return out

    scheduler.step = step
    return scheduler


def _guess(scheduler: Any, out: Any, clean: Any) -> Any:
    """The scheduler's own estimate of the picture without noise; else the latents as they are."""
    config, kept = scheduler.config, getattr(scheduler, "model_outputs", None)
    converted = getattr(config, "predict_x0", getattr(config, "algorithm_type", "").endswith("dpmsolver++"))
    found = clean
    if found is None and kept:
        found = kept[-1] if converted else None
    elif found is None and len(out) > 1:
        found = out[1]
    return found if getattr(found, "shape", None) == out[0].shape else out[0]


def _clean_of_flow(scheduler: Any, args: tuple[Any, ...]) -> Any:
    """Where a flow leads straight on: sample − sigma · velocity (Lipman et al. 2023, Flow Matching)."""
    if "FlowMatch" not in type(scheduler).__name__ or len(args) < 3:
        return None
    index = scheduler.step_index if scheduler.step_index is not None else scheduler.begin_index or 0
    return args[2] - scheduler.sigmas[index].to(args[2]) * args[0]
