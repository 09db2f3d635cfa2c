"""From a model folder to a model in memory, by transformers' Auto classes; and why it cannot be, in words.

Missing tensors are refused: transformers would fill them with random numbers. Nothing is fetched, and no
code of the folder runs.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..errors import InferenceChatError, InvalidModel, OutOfMemory, UnsafeModel
from .checkpoint import Checkpoint
from .device import Placement, torch_dtype

NO_MEMORY = "can't allocate memory"
LOCAL: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
LIBRARY = re.compile(r"requires? the ([\w-]+) library|Missing optional dependencies: ([\w-]+)", re.IGNORECASE)


def load_model(
    auto: Any, checkpoint: Checkpoint, placement: Placement, *, optional: Sequence[str] = (), **how: Any
) -> Any:
    """The model of a folder by an Auto class, on its device, ready to answer.

    Raises `InvalidModel` when tensors are missing whose names contain none of `optional`; call it inside
    `explained`, which translates whatever else is raised.
    """
    model, info = auto.from_pretrained(
        str(checkpoint.folder),
        dtype=torch_dtype(placement.dtype),
        use_safetensors=True,
        output_loading_info=True,
        **LOCAL,
        **how,
    )
    missing = sorted(key for key in info["missing_keys"] if not any(part in key for part in optional))
    if missing:
        raise InvalidModel(
            f"{checkpoint.name} lacks {len(missing)} tensors that its architecture needs, first {missing[0]}."
        )
    return model.to(placement.device).eval()


def load_reader(auto: Any, checkpoint: Checkpoint, **how: Any) -> Any:
    """What prepares a model's inputs, by an Auto class: a tokenizer, an image processor, a processor."""
    return auto.from_pretrained(str(checkpoint.folder), **LOCAL, **how)


@contextmanager
def explained(checkpoint: Checkpoint, what: str) -> Iterator[None]:
    """Inside, transformers loads quietly, and what it raises becomes an error of ours.

    `what` is what the model was to be: `a causal language model`.
    """
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    except InferenceChatError:
        raise
    except Exception as error:  # transformers raises whatever its readers raise
        raise refusal(checkpoint, what, error) from error


def refusal(checkpoint: Checkpoint, what: str, error: Exception) -> InferenceChatError:
    """What to tell about an error of transformers' loaders, which may name paths of this machine."""
    text, name = str(error), checkpoint.name
    kind = str(checkpoint.config.get("model_type", "unknown"))
    for path in (checkpoint.folder, checkpoint.folder.resolve()):
        text = text.replace(str(path), name)
    if isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__ or NO_MEMORY in text:
        return OutOfMemory(f"{name} did not fit into memory; choose a smaller model.", 60)
    if "trust_remote_code" in text:
        return UnsafeModel(f"{name} needs code of its own to run, which is never executed here.")
    text = text.replace(
        "'tvF' is not defined", "requires the torchvision library"
    )  # as transformers calls it
    if found := LIBRARY.search(text):
        library = (found[1] or found[2]).lower()
        return InvalidModel(f"{name} needs the library {library}, which is not here: pip install {library}.")
    if "does not recognize" in text or ("model_type" in text and isinstance(error, ValueError | KeyError)):
        return InvalidModel(f"{name} is of the type {kind!r}, which this version does not know.")
    return InvalidModel(
        f"{name} cannot be loaded as {what} of the type {kind!r}: {text.strip().split(chr(10))[0][:200]}"
    )
