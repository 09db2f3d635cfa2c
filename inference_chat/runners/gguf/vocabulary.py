"""The tokens of a GGUF model under the names that tokenizers of transformers have."""

import ctypes
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from ...errors import InvalidRequest
from ..grammar import Grammars
from .library import Native

TEMPLATE = "tokenizer.chat_template"


class GgufGrammars(Grammars):
    """Grammars over the tokens of a GGUF model."""

    def _read(self) -> Any:
        from llguidance import LLTokenizer
        from llguidance._tokenizer import TokenizerWrapper

        if not self._ends:
            raise InvalidRequest(
                f"{self._name} cannot be kept to a format: it has no token that ends an answer. Leave out "
                "`response_format` and `tools`, or choose another model."
            )
        return LLTokenizer(TokenizerWrapper(_Words(self._tokenizer)), eos_token=self._ends)


class _Words:
    """The tokens of a model as llguidance asks for them."""

    def __init__(self, vocabulary: "Vocabulary") -> None:
        self._vocabulary = vocabulary
        self.eos_token_id = vocabulary.eos_token_id
        self.bos_token_id = vocabulary.bos_token_id
        self.special_token_ids = vocabulary.all_special_ids
        self.tokens = [vocabulary.bytes(token) for token in range(len(vocabulary))]

    def __call__(self, text: bytes) -> list[int]:
        return self._vocabulary(text.decode("utf-8", "replace"), add_special_tokens=False)["input_ids"]


class Vocabulary:
    """What prompts and answers are made with: llama.cpp's tokens, transformers' templates."""

    is_fast = False

    def __init__(self, native: Native) -> None:
        self._native = native
        self._lib = native.lib
        self.vocab = native.vocab
        self.chat_template = native.setting(TEMPLATE)
        # SentencePiece puts a space before every text.
        self._spaced = self._lib.llama_vocab_type(self.vocab) == self._lib.LLAMA_VOCAB_TYPE_SPM
        self.eos_token_id: int | None = self._mark("eos")
        self.bos_token_id: int | None = self._mark("bos")

    def _mark(self, name: str) -> int | None:
        found = int(getattr(self._lib, f"llama_vocab_{name}")(self.vocab))
        return found if found >= 0 else None

    def __len__(self) -> int:
        return self._native.size

    @cached_property
    def all_special_ids(self) -> list[int]:
        """Tokens that are marks, not text."""
        lib, vocab = self._lib, self.vocab
        return [
            token
            for token in range(len(self))
            if lib.llama_vocab_is_control(vocab, token) or lib.llama_vocab_is_eog(vocab, token)
        ]

    @property
    def all_special_tokens(self) -> list[str]:
        return self.convert_ids_to_tokens(self.all_special_ids)

    @property
    def ends(self) -> frozenset[int]:
        """Tokens that end an answer."""
        found = {token for token in self.all_special_ids if self._lib.llama_vocab_is_eog(self.vocab, token)}
        return frozenset(found)

    def convert_ids_to_tokens(self, ids: Sequence[int]) -> list[str]:
        texts = (self._lib.llama_vocab_get_text(self.vocab, token) for token in ids)
        return [text.decode("utf-8", "replace") for text in texts]

    def convert_tokens_to_ids(self, text: str) -> int | None:
        """The token that is this text and nothing else."""
        found = self(text, add_special_tokens=False)["input_ids"]
        return found[0] if len(found) == 1 else None

    def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
        """The tokens of a text, marks in it included."""
        given = text.encode()
        room = len(given) + 8
        while True:
            place = (ctypes.c_int * room)()
            found = self._lib.llama_tokenize(
                self.vocab, given, len(given), place, room, add_special_tokens, True
            )
            if found >= 0:
                return {"input_ids": list(place[:found])}
            room = -found

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False, **_: Any) -> str:
        left_out = self._special if skip_special_tokens else frozenset()
        text = b"".join(self.bytes(token) for token in ids if token not in left_out).decode(
            "utf-8", "replace"
        )
        return text.removeprefix(" ") if self._spaced else text

    @cached_property
    def _special(self) -> frozenset[int]:
        return frozenset(self.all_special_ids)

    def bytes(self, token: int) -> bytes:
        """The text of a token, which may be a part of a character."""
        room = 64
        while True:
            place = ctypes.create_string_buffer(room)
            found = self._lib.llama_token_to_piece(self.vocab, token, place, room, 0, True)
            if found >= 0:
                return place.raw[:found]
            room = -found

    def apply_chat_template(self, messages: list[dict[str, Any]], tokenize: bool = False, **how: Any) -> str:
        """The messages as one text."""
        from transformers.utils.chat_template_utils import render_jinja_template

        assert not tokenize
        assert self.chat_template
        how |= {"bos_token": self._text(self.bos_token_id), "eos_token": self._text(self.eos_token_id)}
        # Texts and, of each, which of its tokens are the assistant's; its annotation says less.
        found: Any = render_jinja_template(conversations=[messages], chat_template=self.chat_template, **how)
        return str(found[0][0])

    def _text(self, token: int | None) -> str:
        return "" if token is None else self.convert_ids_to_tokens([token])[0]
