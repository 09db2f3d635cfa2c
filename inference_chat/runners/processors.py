"""Processors of models that read more than text, with or without torchvision.

transformers prepares clips with torchvision only, and processors that know clips do not load without it.
Here they load all the same, for pictures and sounds: clips are then shown to the model as pictures.
"""

import json
from contextlib import suppress
from typing import Any

from .checkpoint import Checkpoint
from .loading import load_reader

FIELDS = ("video_preprocessor_config.json", "preprocessor_config.json")


def load_processor(checkpoint: Checkpoint) -> Any:
    """The processor of a folder; call it inside `explained`."""
    from transformers import AutoProcessor
    from transformers.utils.import_utils import is_torchvision_available

    known = _class_of(checkpoint)
    if known is None or "video_processor" not in known.get_attributes():
        return load_reader(AutoProcessor, checkpoint)
    if is_torchvision_available():
        # Without settings for clips transformers may take a processor for its own video processor, for ever.
        with suppress(RecursionError):
            return load_reader(AutoProcessor, checkpoint)
    return load_reader(_without_clips(known, checkpoint), checkpoint)


def prepares_clips(processor: Any) -> bool:
    """Whether a processor takes clips themselves."""
    eyes = getattr(processor, "video_processor", None)
    return eyes is not None and not getattr(eyes, "absent", False)


def _class_of(checkpoint: Checkpoint) -> Any:
    import transformers
    from transformers.models.auto import processing_auto

    names: dict[str, Any] = vars(processing_auto)["PROCESSOR_MAPPING_NAMES"]
    name = names.get(str(checkpoint.config.get("model_type")))
    return getattr(transformers, name, None) if isinstance(name, str) else None


def _without_clips(known: Any, checkpoint: Checkpoint) -> Any:
    """The same kind of processor, with nothing in the place of its video processor."""
    import transformers

    class Pictures(known):  # type: ignore[misc]
        @classmethod
        def _get_arguments_from_pretrained(cls, *_: Any, **__: Any) -> list[Any]:
            autos = {
                "tokenizer": transformers.AutoTokenizer,
                "image_processor": transformers.AutoImageProcessor,
                "feature_extractor": transformers.AutoFeatureExtractor,
            }
            more = {"image_processor": {"backend": "pil"}}
            return [
                _absent(checkpoint)
                if name == "video_processor"
                else load_reader(autos[name], checkpoint, **more.get(name, {}))
                for name in known.get_attributes()
            ]

        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            # The table of video processors cannot even be looked into without torchvision.
            if argument_name != "video_processor":
                return super().check_argument_for_proper_class(argument_name, argument)
            return type(argument)

    Pictures.__name__ = known.__name__
    return Pictures


def _absent(checkpoint: Checkpoint) -> Any:
    """What stands for a video processor: its settings, which some processors look at, and nothing to call."""
    from transformers.video_processing_utils import BaseVideoProcessor

    class Absent(BaseVideoProcessor):
        absent = True
        merge_size = 2
        temporal_patch_size = 2

        def __init__(self, settings: dict[str, Any]) -> None:
            vars(self).update(settings)

        def __getattr__(self, name: str) -> None:
            if name.startswith("_"):
                raise AttributeError(name)

    paths = (checkpoint.folder / name for name in FIELDS)
    told: dict[str, Any] = next((json.loads(path.read_bytes()) for path in paths if path.is_file()), {})
    return Absent({name: value for name, value in told.items() if not name.startswith("_")})
