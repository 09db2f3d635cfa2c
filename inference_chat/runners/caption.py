"""Captions, and texts that stand in pictures, by models that know no chat: BLIP, GIT, TrOCR, Donut."""

from collections.abc import Iterator
from threading import Event as Flag
from typing import Any, ClassVar

from ..errors import InvalidRequest, UnsupportedTask
from ..events import Event
from ..media import open_image
from ..schema import Media, Request
from .content import OPENED_LIMITS
from .loading import explained, load_model, load_reader
from .multimodal import AboutOptions, MultimodalRunner, several, touch
from .prompt import Prompt
from .whisper import SHARED

WORDS: dict[str, tuple[str, str]] = {
    "florence2": ("<CAPTION>", "<VQA>{}"),
    "paligemma": ("caption en", "answer en {}"),
    "kosmos-2": ("An image of", "Question: {} Answer:"),
    "blip-2": ("", "Question: {} Answer:"),
}
"""How some families want to be asked for a caption, and a question; others are told what people say."""
LONGEST = 512


class CaptionRunner(MultimodalRunner):
    """One model that writes about a picture; each picture of a request has an answer of its own."""

    capabilities: ClassVar[tuple[str, ...]] = ("Vision",)

    def load(self) -> None:
        with explained(self.checkpoint, "a model for captions"):
            self._load()

    def _load(self) -> None:
        import transformers

        asked = self.checkpoint.architecture.endswith("ForQuestionAnswering")
        auto = "AutoModelForVisualQuestionAnswering" if asked else "AutoModelForImageTextToText"
        self._processor: Any = load_reader(transformers.AutoProcessor, self.checkpoint)
        self._tokenizer: Any = self._processor.tokenizer
        self._model: Any = load_model(getattr(transformers, auto), self.checkpoint, self.placement)
        touch(self._model)
        config = self._model.config.get_text_config(decoder=True)
        self._window = next((n for name in SHARED if (n := getattr(config, name, None)) and n > 20), LONGEST)
        self._ends = self._end_tokens()

    def unload(self) -> None:
        del self._model, self._tokenizer, self._processor

    def run(self, request: Request, stop: Flag) -> Iterator[Event]:
        options = request.options
        assert isinstance(options, AboutOptions)
        pictures = [one for one in request.media if one.kind == "image"]
        if len(pictures) < len(request.media):
            raise UnsupportedTask(f"{self.name} takes pictures only; choose a model that takes the rest.")
        asked = request.prompt
        if request.messages:
            asked, pictures = request.messages[-1].text or None, pictures[-1:]
        if len(pictures) > 1 and options.n > 1:
            raise InvalidRequest("n: give one picture for several answers, or ask for one answer to each.")
        yield from several([self._about(picture, asked, options, stop) for picture in pictures], options.n)

    def _about(self, picture: Media, asked: str | None, options: AboutOptions, stop: Flag) -> Iterator[Event]:
        inputs = self._inputs(open_image(picture.read(), OPENED_LIMITS), asked)
        ids = inputs.get("input_ids", inputs.get("decoder_input_ids"))
        told = [] if ids is None else [int(token) for token in ids[0]]
        yield from self._written(Prompt(told, inputs=inputs), options, stop)

    def _inputs(self, image: Any, asked: str | None) -> dict[str, Any]:
        """What the model is given: the picture, and what is asked as its family wants it."""
        caption, question = WORDS.get(self._type, ("", "{}"))
        as_is = not asked or asked.startswith("<")
        text = (asked or caption) if as_is else question.format(asked)
        if self._type == "vision-encoder-decoder":
            return self._begun_with(image, text)
        if not text:
            return {"pixel_values": self._processor(images=image, return_tensors="pt")["pixel_values"]}
        if self._type == "git":
            return self._git(image, text)
        inputs = dict(self._processor(images=image, text=text, return_tensors="pt"))
        inputs.pop("labels", None)  # PaliGemma's processor prepares training at the same time
        return inputs

    def _begun_with(self, image: Any, text: str) -> dict[str, Any]:
        """Donut is told its task by the first tokens of its answer."""
        inputs = {
            "pixel_values": self._processor.image_processor(images=image, return_tensors="pt")["pixel_values"]
        }
        if text:
            ids = self._tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
            inputs["decoder_input_ids"] = ids
        return inputs

    def _git(self, image: Any, text: str) -> dict[str, Any]:
        """GIT goes on after its question, which must not be closed."""
        inputs = dict(self._processor(images=image, text=text, return_tensors="pt"))
        if int(inputs["input_ids"][0, -1]) == self._tokenizer.sep_token_id:
            inputs = {
                name: value if name == "pixel_values" else value[:, :-1] for name, value in inputs.items()
            }
        return inputs
