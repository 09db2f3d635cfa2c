"""llama.cpp through its Python binding: one model, one memory of keys and values for many texts."""

import ctypes
import heapq
import weakref
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from ...errors import InvalidModel, ModelFailed, OutOfMemory, Overloaded

BATCH = 2048
"""Tokens that are read at once at most."""
SEATS = 64
"""Texts that have keys and values at the same time at most."""


class NoRoom(Exception):
    """The memory for keys and values is full."""


class Part(NamedTuple):
    """Tokens of a text that are read next: its seat, where they stand, and which of them want logits."""

    seat: int
    start: int
    ids: Sequence[int]


def library(name: str) -> ModuleType:
    """The binding; raises `InvalidModel` that says how to get it."""
    try:
        import llama_cpp
    except ImportError as error:
        raise InvalidModel(
            f"{name} is a GGUF file, which llama.cpp runs, and that is not here. Install it by `pip install "
            "llama-cpp-python` (the extra `gguf` of this program), then load the model again."
        ) from error
    found: ModuleType = llama_cpp
    return found


@cache
def _started(lib: ModuleType) -> Any:
    """Start the library once, without its log; what is returned must live as long as the process."""
    silent = lib.llama_log_callback(lambda *_: None)
    lib.llama_log_set(silent, ctypes.c_void_p(0))
    lib.llama_backend_init()
    return silent


class Native:
    """A loaded file. All of it is for one thread."""

    def __init__(self, file: Path, name: str, *, cells: int, threads: int, gpu: bool, exact: bool) -> None:
        """`cells` tokens of all texts together have room; `exact` keeps them in 32 bits, not in 16.

        Raises `InvalidModel`, `OutOfMemory`.
        """
        lib = self.lib = library(name)
        _started(lib)
        how = lib.llama_model_default_params()
        how.n_gpu_layers = -1 if gpu else 0
        self._model = lib.llama_model_load_from_file(str(file).encode(), how)
        if not self._model:
            raise InvalidModel(
                f"{name} cannot be loaded by llama.cpp: it is of a kind that is unknown there, or broken."
            )
        self.vocab = lib.llama_model_get_vocab(self._model)
        self.size = int(lib.llama_vocab_n_tokens(self.vocab))
        recurrent = lib.llama_model_is_recurrent(self._model)
        self.sums_up = bool(recurrent or lib.llama_model_is_hybrid(self._model))
        self._context = lib.llama_init_from_model(self._model, self._settings(cells, threads, exact))
        if not self._context:
            self.close()
            raise OutOfMemory(f"{name} did not fit into memory; choose a smaller model.", 60)
        self._memory = lib.llama_get_memory(self._context)
        self._batch = lib.llama_batch_init(BATCH, 0, 1)
        self._free = list(range(SEATS))

    def _settings(self, cells: int, threads: int, exact: bool) -> Any:
        how = self.lib.llama_context_default_params()
        how.n_ctx, how.n_batch, how.n_seq_max = cells, BATCH, SEATS
        how.n_outputs_max_per_seq = BATCH
        how.n_threads = how.n_threads_batch = threads
        how.kv_unified = True
        if exact:
            how.type_k = how.type_v = self.lib.GGML_TYPE_F32
            how.flash_attn_type = self.lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
        return how

    def close(self) -> None:
        if self._context:
            self.lib.llama_batch_free(self._batch)
            self.lib.llama_free(self._context)
        if self._model:
            self.lib.llama_model_free(self._model)
        self._context = self._model = None

    def setting(self, name: str) -> str | None:
        """A setting of the file as text, as `tokenizer.chat_template`."""
        size = 1 << 20
        place = ctypes.create_string_buffer(size)
        found = self.lib.llama_model_meta_val_str(self._model, name.encode(), place, size)
        return place.value.decode("utf-8", "replace") if found >= 0 else None

    def seat(self) -> "Seat":
        """A place for the keys and values of a text; raises `Overloaded`."""
        if not self._free:
            raise Overloaded("Too many texts are written at once; try again in a moment.", 5)
        return Seat(self, heapq.heappop(self._free))

    def leave(self, seat: int) -> None:
        if self._context:
            self.cut(seat, 0)
            heapq.heappush(self._free, seat)

    def cut(self, seat: int, tokens: int) -> None:
        """Forget all but the first `tokens` of a text."""
        self.lib.llama_memory_seq_rm(self._memory, seat, tokens, -1)

    def copy(self, seat: int, other: int, tokens: int) -> None:
        """The first `tokens` of one text are those of another, too; they share their memory."""
        self.lib.llama_memory_seq_cp(self._memory, seat, other, 0, tokens)

    def decode(self, parts: Sequence[Part], every: bool) -> Any:
        """Logits (parts, vocabulary) after each part, or after `every` token; raises `NoRoom`."""
        import numpy as np

        places, at = [], 0
        for part in parts:
            for offset, token in enumerate(part.ids):
                last = every or offset == len(part.ids) - 1
                self._put(at, token, part.start + offset, part.seat, last)
                places += [at] if last else []
                at += 1
        self._batch.n_tokens = at
        if found := self.lib.llama_decode(self._context, self._batch):
            if found == 1:
                raise NoRoom
            raise ModelFailed(f"llama.cpp could not read the text (it says {found}).")
        rows = [self.lib.llama_get_logits_ith(self._context, place) for place in places]
        return np.stack([np.ctypeslib.as_array(row, shape=(self.size,)) for row in rows])

    def _put(self, at: int, token: int, position: int, seat: int, wanted: bool) -> None:
        batch = self._batch
        batch.token[at], batch.pos[at], batch.logits[at] = token, position, wanted
        batch.n_seq_id[at], batch.seq_id[at][0] = 1, seat


class Seat:
    """The keys and values of one text; given back when nothing refers to it any more."""

    def __init__(self, native: Native, number: int) -> None:
        self.number = number
        weakref.finalize(self, native.leave, number).atexit = False
