"""What a text is: classes that a model knows, and embeddings, by BERT and its like."""

import json
from collections.abc import Iterator, Sequence
from threading import Event as Flag
from typing import Any, Literal

from ..errors import InvalidRequest
from ..events import Event, Finished, Labels, Usage, Vector
from ..schema import Request
from .base import Runner
from .checkpoint import Checkpoint
from .classification import ClassificationOptions, likeliest, scores
from .embedding import EmbeddingOptions
from .loading import explained, load_model, load_reader
from .multimodal import moved, touch

Pooling = Literal["cls", "mean", "max", "lasttoken"]
POOLINGS: Sequence[Pooling] = ("cls", "lasttoken", "max", "mean")


class SentenceRunner(Runner):
    """A model that reads a text at once."""

    what: str
    auto: str
    optional: Sequence[str] = ()

    def load(self) -> None:
        import transformers

        with explained(self.checkpoint, self.what):
            self._tokenizer: Any = load_reader(transformers.AutoTokenizer, self.checkpoint)
            auto = getattr(transformers, self.auto)
            self._model: Any = load_model(auto, self.checkpoint, self.placement, optional=self.optional)
        touch(self._model)
        self._window = min(self.checkpoint.window, self._tokenizer.model_max_length)

    def unload(self) -> None:
        del self._model, self._tokenizer

    def _read(self, request: Request) -> tuple[dict[str, Any], Usage, tuple[str, ...]]:
        """The text as tensors, what it costs, and what was left out of it."""
        text = request.prompt
        if text is None:
            text = "\n".join(message.text for message in request.messages)
        if not text.strip():
            raise InvalidRequest("The text is empty; write something to read.")
        whole = len(self._tokenizer(text)["input_ids"])
        inputs = self._tokenizer(text, return_tensors="pt", truncation=True, max_length=self._window)
        kept = int(inputs["input_ids"].shape[1])
        notes = (f"Of {whole:,} tokens the first {kept:,} were read: the model takes no more.",)
        told = notes if kept < whole else ()
        return moved(dict(inputs), self._model), Usage(prompt_tokens=kept), told


class TextClassifierRunner(SentenceRunner):
    """One classifier of texts."""

    what = "a text classifier"
    auto = "AutoModelForSequenceClassification"

    def run(self, request: Request, stop: Flag) -> Iterator[Event]:
        import torch

        options = request.options
        assert isinstance(options, ClassificationOptions)
        inputs, usage, notes = self._read(request)
        with torch.inference_mode():
            row = scores(self._model(**inputs).logits.to("cpu", torch.float32), self._model.config)[0]
        names = self._model.config.id2label
        yield Labels(items=likeliest(row, lambda i: str(names[i]), options.top_k))
        yield Finished(finish_reasons=("stop",), usage=usage, notes=notes)


class TextEncoderRunner(SentenceRunner):
    """One model that makes vectors of texts, pooled as its sentence-transformers files say; else the mean."""

    what = "an encoder of texts"
    auto = "AutoModel"
    optional = ("pooler.", "position_ids")

    def load(self) -> None:
        super().load()
        self._pooling = pooling_of(self.checkpoint)

    def run(self, request: Request, stop: Flag) -> Iterator[Event]:
        import torch

        options = request.options
        assert isinstance(options, EmbeddingOptions)
        inputs, usage, notes = self._read(request)
        with torch.inference_mode():
            hidden = self._model(**inputs).last_hidden_state[0].to("cpu", torch.float32)
        yield Vector(values=options.scaled(_pooled(hidden, self._pooling)))
        yield Finished(finish_reasons=("stop",), usage=usage, notes=notes)


def pooling_of(checkpoint: Checkpoint) -> Pooling:
    """How sentence-transformers makes one vector of many, by its file `1_Pooling/config.json`."""
    path = checkpoint.folder / "1_Pooling" / "config.json"
    if not path.is_file():
        return "mean"
    told = json.loads(path.read_bytes())
    names = {"cls": "cls_token", "max": "max_tokens", "mean": "mean_tokens", "lasttoken": "lasttoken"}
    if (mode := told.get("pooling_mode")) in names:
        return next(one for one in POOLINGS if one == mode)
    return next((one for one in POOLINGS if told.get(f"pooling_mode_{names[one]}")), "mean")


def _pooled(hidden: Any, pooling: Pooling) -> Any:
    """One vector (features,) of those of a text's tokens (tokens, features)."""
    match pooling:
        case "cls":
            return hidden[0]
        case "lasttoken":
            return hidden[-1]
        case "max":
            return hidden.amax(0)
        case "mean":
            return hidden.mean(0)
