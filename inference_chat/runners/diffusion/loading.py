"""From a diffusers folder to a pipeline in memory, part by part: nothing that is missing goes unseen."""

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...errors import InvalidModel
from ..checkpoint import UNUSED, Checkpoint
from ..device import Placement, torch_dtype
from ..loading import explained
from .pieces import let_breathe


def load_pipeline(checkpoint: Checkpoint, placement: Placement) -> Any:
    """The pipeline that a folder names, on its device.

    Raises `InvalidModel` when tensors are missing or parts do not fit, `OutOfMemory`, `UnsafeModel`.
    """
    with explained(checkpoint, f"a {checkpoint.architecture}"), _quiet():
        from diffusers import DiffusionPipeline
        from diffusers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        parts: dict[str, Any] = {name: _part(checkpoint, name, placement) for name in checkpoint.variants}
        kind: Any = DiffusionPipeline
        pipe = kind.from_pretrained(
            str(checkpoint.folder),
            dtype=torch_dtype(placement.dtype),
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            **dict.fromkeys(UNUSED & checkpoint.config.keys()),
            **parts,
        )
        pipe.set_progress_bar_config(disable=True)
        return pipe.to(placement.device)


def sibling(pipe: Any, name: str) -> Any:
    """The same weights as another pipeline class of diffusers."""
    import diffusers

    if type(pipe).__name__ == name:
        return pipe
    with _quiet():
        made = getattr(diffusers, name).from_pipe(pipe, dtype=pipe.dtype)
    made.set_progress_bar_config(disable=True)
    return made


@contextmanager
def _quiet() -> Iterator[None]:
    """Inside, diffusers does not warn of settings in a model's files that it sets right itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def _part(checkpoint: Checkpoint, name: str, placement: Placement) -> Any:
    """One part with weights; its layers let others have their turn."""
    library, kind = checkpoint.config[name]
    home = importlib.import_module(
        library if library in ("diffusers", "transformers") else f"diffusers.pipelines.{library}"
    )
    if not hasattr(home, kind):
        raise InvalidModel(
            f"The {name} of {checkpoint.name} is a {kind}, which {library} does not know here."
        )
    model, info = getattr(home, kind).from_pretrained(
        str(checkpoint.folder / name),
        dtype=torch_dtype(placement.dtype),
        variant=checkpoint.variants[name],
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
    )
    if missing := sorted(info["missing_keys"]):
        raise InvalidModel(
            f"The {name} of {checkpoint.name} lacks {len(missing)} tensors that its architecture needs, "
            f"first {missing[0]}."
        )
    let_breathe(model)
    return model.eval()
