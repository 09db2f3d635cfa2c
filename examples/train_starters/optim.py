"""Muon for hidden matrices, AdamW for everything else."""

from __future__ import annotations

import torch
from torch import nn

_TABLES = ("embed", "lm_head", "shared.weight", "relative_attention_bias")
"""Matrices whose rows are looked up, one by one (the last two are T5's)."""


class Optimizers:
    """Both optimisers as one, with a common factor on their peak rates.

    With `filters` Muon takes convolutions too, each as a matrix [out, in * height * width], patch embeddings
    among them; depthwise ones and small stems stay with AdamW."""

    def __init__(
        self, model: nn.Module, matrix_rate: float = 3e-3, other_rate: float = 3e-3, filters: bool = False
    ) -> None:
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        self._flat: list[tuple[nn.Parameter, nn.Parameter]] = []
        for name, parameter in model.named_parameters():
            if filters and parameter.ndim >= 4 and parameter[0].numel() > 64:
                self._flat.append((parameter, nn.Parameter(parameter.data.view(len(parameter), -1))))
                continue
            hidden = parameter.ndim == 2 and not any(table in name for table in _TABLES)
            (matrices if hidden else others).append(parameter)
        matrices += [flat for _, flat in self._flat]
        self._all: list[torch.optim.Optimizer] = [
            torch.optim.Muon(matrices, lr=matrix_rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=other_rate, weight_decay=0.0, betas=(0.9, 0.98)),
        ]
        self._peaks = [matrix_rate, other_rate]
        self._parameters = [*matrices, *others]

    def step(self, factor: float) -> None:
        """One update at the given share of the peak rates; gradients are clipped before and cleared after."""
        for parameter, flat in self._flat:
            flat.grad = None if parameter.grad is None else parameter.grad.reshape(flat.shape)
            parameter.grad = None
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        for optimizer, peak in zip(self._all, self._peaks, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = peak * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, object]]:
        """What a checkpoint keeps."""
        return [optimizer.state_dict() for optimizer in self._all]

    def load_state_dict(self, states: list[dict[str, object]]) -> None:
        """Takes up a checkpoint."""
        for optimizer, state in zip(self._all, states, strict=True):
            optimizer.load_state_dict(state)


class Average:
    """A running average of a model's weights, which is steadier than the last step's."""

    def __init__(self, model: nn.Module, decay: float = 0.99) -> None:
        self.decay = decay
        self.weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    def update(self, model: nn.Module, step: int) -> None:
        """Takes in the model's present weights; in the first steps the average follows quicker."""
        decay = min(self.decay, (step + 1) / (step + 10))
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                self.weights[name].lerp_(tensor.detach(), 1 - decay)
            else:
                self.weights[name].copy_(tensor)
