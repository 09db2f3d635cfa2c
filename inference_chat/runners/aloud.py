"""From what an omni model has written to the same in its own voice.

transformers does both in one call, `generate`: it writes, then makes codes of sound from what the writing
model thought at each token, then a wave from the codes. Here the loop of chat has written already, so in that
call a stand-in tells what came of it. How thoughts become codes is each family's own, and stays so.
"""

import warnings
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple

from ..errors import InvalidModel
from .diffusion.pieces import let_breathe
from .prepared import PreparedSteps

RATE = 24_000
"""Samples a second, of all families so far."""
VOICES = "spk_dict.pt"
LONGEST = 4096
"""Codes of one answer at most, as transformers' own default."""
FEWEST, EACH = 200, 60
"""Codes that may be said at all, and for each token besides: four times of what slow speech takes."""

SHARED = frozenset(
    {
        "attention_mask",
        "feature_attention_mask",
        "image_grid_thw",
        "input_features",
        "video_grid_thw",
        "video_second_per_grid",
    }
)
"""Inputs that are told to all parts of a model."""


def with_voice(known: Any) -> Any:
    """What loads a whole model, also where the file of voices is missing that its class demands."""
    from transformers import PreTrainedModel

    plain: Any = PreTrainedModel.from_pretrained
    return SimpleNamespace(from_pretrained=partial(plain.__func__, known))


def fitted(model: Any, folder: Path) -> dict[str, str]:
    """Make a loaded model ready to speak; its voices, by their names in small letters.

    Raises `InvalidModel` for a file of voices that holds anything but tensors and numbers.
    """
    let_breathe(model.talker)
    if hasattr(model, "token2wav"):
        model.token2wav.float()  # as it does itself when it first speaks
        let_breathe(model.token2wav)
        model.speaker_map = _read(folder / VOICES)
        return {name.casefold(): name for name in model.speaker_map}
    let_breathe(model.code2wav)
    if not hasattr(model.talker.config, "audio_config"):  # it counts positions of sounds by it
        model.talker.config.audio_config = model.config.thinker_config.audio_config
    return {name.casefold(): name for name in getattr(model.config.talker_config, "speaker_id", None) or {}}


def _read(path: Path) -> dict[str, Any]:
    import torch

    if not path.is_file():
        return {}
    try:
        # It makes tensors, numbers and texts; all else is refused, and nothing in the file runs.
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # it raises whatever its readers raise
        raise InvalidModel(f"{path.name} of {path.parent.name!r} holds more than voices.") from error
    keys = {"cond", "ref_mel", "bos_token"}
    voices = found.values() if isinstance(found, dict) else (None,)
    if not all(isinstance(one, dict) and keys <= one.keys() for one in voices):
        raise InvalidModel(f"{path.name} of {path.parent.name!r} holds no voices.")
    return {str(name): one for name, one in found.items()}


class Remembering(PreparedSteps):
    """Steps that keep what the model thought at each token, as far as its voice needs it."""

    more: ClassVar[dict[str, Any]] = {"output_hidden_states": True}

    def __init__(self, whole: Any, inputs: dict[str, Any], **how: Any) -> None:
        layers = whole.thinker.config.get_text_config().num_hidden_layers
        accepted = getattr(whole.config.talker_config, "accept_hidden_layer", layers)
        self._kept = {0, accepted, layers}
        self._first: list[Any] = []
        self._later: list[Any] = []
        self.inputs = inputs
        super().__init__(whole.thinker, inputs, **how)

    def made(self, out: Any) -> None:
        states = tuple(one if at in self._kept else None for at, one in enumerate(out.hidden_states))
        (self._first if self.fraction < 1 else self._later).append(states)

    @property
    def has_words(self) -> bool:
        return bool(self._later)

    @property
    def thoughts(self) -> tuple[Any, ...]:
        """What `generate` tells as `hidden_states`: those of the prompt, then of each token."""
        import torch

        pieces = zip(*self._first, strict=True)
        whole = tuple(torch.cat(layer, dim=1) if layer[0] is not None else None for layer in pieces)
        return (whole, *self._later)


class _Written:
    """Stands for the part that writes, once it has written."""

    def __init__(self, thinker: Any, steps: Remembering, end: int) -> None:
        import torch

        self._thinker = thinker
        ids = torch.tensor([[*steps.said, end]], device=thinker.device)
        self._told = SimpleNamespace(sequences=ids, hidden_states=steps.thoughts)

    def generate(self, **_: Any) -> Any:
        return self._told

    def __getattr__(self, name: str) -> Any:
        return getattr(self._thinker, name)


class _Speaker:
    """The whole model, with one that has written in the place of its writer."""

    def __init__(self, model: Any, writer: _Written) -> None:
        self.thinker = writer
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


class Said(NamedTuple):
    """Samples (count,) in float32, and whether there would have been more."""

    wave: Any
    cut: bool


def say(model: Any, steps: Remembering, voice: str, ends: list[int]) -> Said | None:
    """What was written, said; None where the model finds nothing to say."""
    import torch

    ids = steps.inputs["input_ids"]
    # Pictures and clips are for the writer alone; the talker refuses what it does not know.
    inputs = {
        name if name in SHARED else f"thinker_{name}": value
        for name, value in steps.inputs.items()
        if name != "input_ids"
    }
    inputs.setdefault("attention_mask", torch.ones_like(ids))
    most = min(LONGEST, FEWEST + EACH * (len(steps.said) - ids.shape[1]))
    how: dict[str, Any] = {"talker_max_new_tokens": most, "thinker_eos_token_id": ends}
    if ended := _ends(model.talker):
        how["talker_eos_token_id"] = ended
    speaker = _Speaker(model, _Written(model.thinker, steps, ends[0]))
    # Codes alone are penalised, as is meant; a filter for this call alone would reach others in its pauses.
    warnings.filterwarnings("ignore", "Passing `repetition_penalty` with `inputs_embeds`")
    made: Any = type(model).generate
    codes = _Counter()
    hook = model.talker.model.register_forward_pre_hook(codes)
    try:
        _, wave = made(speaker, input_ids=ids, speaker=voice, generation_mode="audio", **how, **inputs)
    except RuntimeError:
        if codes.count > 1:
            raise
        return None  # it ended with its first code, and transformers makes no wave of none
    finally:
        hook.remove()
    return Said(wave.detach().reshape(-1).float().cpu().numpy(), codes.count >= most)


def _ends(talker: Any) -> list[int]:
    """The codes that end what is said, where `generate` does not read them from the config."""
    found = (getattr(talker, name, None) for name in ("codec_pad_token", "codec_eos_token"))
    return [int(code) for code in found if code is not None]


class _Counter:
    """Counts the passes of a model."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, *_: Any) -> None:
        self.count += 1
