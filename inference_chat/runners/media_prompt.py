"""From messages with pictures, sounds and clips to the tokens and tensors a model reads, by its processor."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import InvalidRequest, TooLarge
from ..events import Footage
from ..schema import Request
from .content import Senses, Shot, footage_of, taken, turns_of
from .prompt import Prompt, PromptBuilder, Rendered, Turn

PROBE = "seven words that no template ever holds"
PLACES = {"image": "image_token", "video": "video_token", "audio": "audio_token"}
"""Where processors keep the text that stands for a medium."""


class MediaPromptBuilder(PromptBuilder):
    """Builds prompts for one processor; media count towards the window as the tokens they become."""

    def __init__(self, processor: Any, window: int, name: str, senses: Senses) -> None:
        super().__init__(processor.tokenizer, window, name)
        self._processor = processor
        self._senses = senses
        if getattr(processor, "chat_template", None):
            self._templates = processor
        self._lists = self._takes_lists()
        self._senses = replace(senses, in_order=self._keeps_order())

    def build_media(
        self, request: Request, room: int, opened: Mapping[str, Any], frames: int, ask: str
    ) -> tuple[Prompt, list[Footage]]:
        """The prompt of a request whose media were `opened`, and what is looked at of its clips.

        Of a clip that does not fit fewer frames are taken, down to one. Raises what `build` raises.
        """
        clips = any(one.kind == "video" for one in request.media)
        while True:
            turns = turns_of(request, opened, self._senses, frames, ask)
            try:
                return self._chat(turns, room), footage_of(request, opened, frames)
            except TooLarge:
                if not clips or frames == 1:
                    raise
                frames //= 2

    def _render(self, messages: list[Turn]) -> Rendered:
        text = self._text(messages) if self._templates.chat_template else self._plainly(messages)
        bos = self._tokenizer.bos_token
        how = {"add_special_tokens": False} if bos and text.startswith(bos) else {}
        media = self._media(messages)
        read = self._processor if media else self._tokenizer
        inputs = dict(read(text=[text], return_tensors="pt", **how, **media))
        if not media:
            inputs.pop("token_type_ids", None)
        return [int(token) for token in inputs["input_ids"][0]], inputs

    def _templated(self, messages: list[Turn]) -> str:
        shown = [self._shown(turn) for turn in messages]
        if not self._lists:
            shown = [turn | {"content": self._joined(turn)} for turn in shown]
        return super()._templated(shown)

    def _plainly(self, messages: list[Turn]) -> str:
        """The turns as one text, for models that know no chat."""
        return "\n".join(self._joined(self._shown(turn)) for turn in messages)

    def _joined(self, turn: Turn) -> str:
        """A turn as text, with a placeholder where a medium is."""
        texts = [part["text"] for part in turn["content"] if part["type"] == "text" and part["text"]]
        places = [self._place(part["type"]) for part in turn["content"] if part["type"] != "text"]
        between = "\n" if places and texts and self._templates.chat_template else ""
        return "".join(places) + between + "\n".join(texts)

    def _shown(self, turn: Turn) -> Turn:
        """A turn as a template sees it; words that stand for media lose that meaning in people's texts."""
        parts = [
            part | {"text": self._disarmed(part["text"])}
            if part["type"] == "text"
            else {"type": part["type"]}
            for part in turn["content"]
        ]
        return turn | {"content": parts}

    def _disarmed(self, text: str) -> str:
        for kind in PLACES:
            if place := self._place(kind):
                text = text.replace(place, f"{place[0]} {place[1:]}")
        return text

    def _place(self, kind: str) -> str:
        return str(getattr(self._processor, PLACES[kind], None) or "")

    def _media(self, messages: list[Turn]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if images := taken(messages, "image"):
            found["images"] = [images]
        if sounds := taken(messages, "audio"):
            found |= {"audio": sounds, "sampling_rate": self._senses.rate}
        if clips := taken(messages, "video"):
            found |= _clips(clips)
        return found

    def _keeps_order(self) -> bool:
        """Whether what is said before a picture is also read before it."""
        if not (self._lists and self._place("image")):
            return False
        parts = [{"type": "text", "text": PROBE}, {"type": "image"}, {"type": "text", "text": PROBE}]
        try:
            text = self._templated([{"role": "user", "content": parts}])
        except InvalidRequest:
            return False
        return text.find(PROBE) < text.find(self._place("image")) < text.rfind(PROBE)

    def _takes_lists(self) -> bool:
        """Whether the chat template takes content as a list of parts; else texts with placeholders."""
        if not self._templates.chat_template:
            return False
        turn = {"role": "user", "content": [{"type": "text", "text": PROBE}]}
        try:
            text = str(self._templates.apply_chat_template([turn], tokenize=False))
        except Exception:  # noqa: BLE001 - a template is a program of the model's maker, and may raise anything
            return False
        return PROBE in text and "'type'" not in text and '"type"' not in text


def _clips(shots: list[Shot]) -> dict[str, Any]:
    """Clips as video processors take them: frames that are chosen already, with their times."""
    import numpy as np
    from transformers.video_utils import VideoMetadata

    told = [
        VideoMetadata(
            total_num_frames=len(shot.frames),
            fps=_pace(shot.times),
            frames_indices=list(range(len(shot.frames))),
        )
        for shot in shots
    ]
    videos = [np.stack([np.asarray(frame) for frame in shot.frames]) for shot in shots]
    return {"videos": videos, "video_metadata": told, "do_sample_frames": False}


def _pace(times: tuple[float, ...]) -> float:
    """Frames a second of those taken."""
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else 1.0
