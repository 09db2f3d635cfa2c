"""Texts made of texts by encoder-decoder models: summaries, translations (T5, BART, Marian, NLLB)."""

from collections.abc import Iterator
from threading import Event as Flag
from typing import Any, ClassVar

from pydantic import Field

from ..errors import InvalidRequest, TooLarge
from ..events import Event
from ..schema import Request
from ..tasks import Task
from .loading import explained, load_model, load_reader
from .multimodal import MultimodalRunner, touch
from .prompt import Prompt
from .text import TextOptions
from .whisper import SHARED

FREE = 1 << 15
"""Positions of models that count them relative to each other."""


class RewritingOptions(TextOptions):
    """How a summary is written."""

    temperature: float = Field(
        0.0, ge=0, le=2, description="0 always takes the likeliest token; higher is more varied."
    )


class TranslationOptions(RewritingOptions):
    """Between which languages, for models that know several."""

    source_language: str | None = Field(
        None, max_length=40, description="The language of the text, as its model names it: `en`, `eng_Latn`."
    )
    target_language: str | None = Field(
        None,
        max_length=40,
        description="The language to translate to: `de`, `deu_Latn`.",
    )


class RewritingRunner(MultimodalRunner):
    """One encoder-decoder model of texts, on the engine of chat."""

    capabilities: ClassVar[tuple[str, ...]] = ()

    def load(self) -> None:
        with explained(self.checkpoint, "a model that rewrites texts"):
            self._load()

    def _load(self) -> None:
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

        self._processor: Any = load_reader(AutoTokenizer, self.checkpoint)
        self._tokenizer: Any = self._processor
        self._model: Any = load_model(AutoModelForSeq2SeqLM, self.checkpoint, self.placement)
        touch(self._model)
        config = self._model.config
        self._window = next((n for name in SHARED if (n := getattr(config, name, None)) and n > 20), FREE)
        self._ends = self._end_tokens()

    def unload(self) -> None:
        del self._model, self._tokenizer, self._processor

    def run(self, request: Request, stop: Flag) -> Iterator[Event]:
        options = request.options
        assert isinstance(options, TextOptions)
        text = request.prompt
        if text is None:
            text = "\n".join(message.text for message in request.messages)
        if not text.strip():
            raise InvalidRequest("The text is empty; write something to read.")
        how = self._between(options) if isinstance(options, TranslationOptions) else {}
        inputs = self._tokenizer(self._prefix(request.task, options) + text, return_tensors="pt")
        inputs.pop("token_type_ids", None)
        ids = [int(token) for token in inputs["input_ids"][0]]
        most = min(self._window, self._tokenizer.model_max_length, FREE)
        if len(ids) > most:
            raise TooLarge(
                f"The text is {len(ids):,} tokens long and {self.name} reads {most:,} at most; shorten it."
            )
        yield from self._written(Prompt(ids, inputs=dict(inputs) | how), options, stop)

    def _prefix(self, task: Task, options: TextOptions) -> str:
        """What such models were taught to be told before the text."""
        told = self.checkpoint.config.get("task_specific_params") or {}
        if task == Task.SUMMARIZATION:
            return str(told.get("summarization", {}).get("prefix", ""))
        if not isinstance(options, TranslationOptions) or "t5" not in self._type:
            return ""
        source, target = options.source_language, options.target_language
        if source and target:
            return f"translate {_named(source)} to {_named(target)}: "
        return next((str(one.get("prefix", "")) for name, one in told.items() if "translation" in name), "")

    def _between(self, options: TranslationOptions) -> dict[str, Any]:
        """The languages for tokenizers that mark them."""
        if not hasattr(self._tokenizer, "src_lang"):
            return {}
        if options.source_language:
            self._checked_language(options.source_language)
            self._tokenizer.src_lang = options.source_language
        if not options.target_language:
            return {}
        return {"forced_bos_token_id": self._checked_language(options.target_language)}

    def _checked_language(self, language: str) -> int:
        known: dict[str, int] = getattr(self._tokenizer, "lang_code_to_id", None) or {}
        if hasattr(self._tokenizer, "get_lang_id") and not known:
            known = dict(getattr(self._tokenizer, "lang_code_to_token", {}))
        if language in known or not known:
            get = getattr(self._tokenizer, "get_lang_id", self._tokenizer.convert_tokens_to_ids)
            number = int(get(language))
            if number != self._tokenizer.unk_token_id:
                return number
        shown = ", ".join(sorted(known)[:60])
        raise InvalidRequest(f"{self.name} does not know the language {language!r}; it knows {shown}.")


def _named(language: str) -> str:
    """A language as T5 was taught to name it: in English words."""
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    return str(LANGUAGES.get(language.lower(), language)).capitalize()
