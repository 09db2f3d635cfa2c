"""llama.cpp in a process of its own: lines `[[ids, …], tokens]` come, lines of the ids written go.

`PYTHON llama_worker.py FILE THREADS`, by any Python that has `llama_cpp`. The prompts are read together, then
each step writes the likeliest token of every text.
"""

import ctypes
import json
import sys

import llama_cpp as lib
import numpy as np

BATCH = 2048
CELLS = 8192
SEATS = 64


class Model:
    def __init__(self, file: str, threads: int) -> None:
        lib.llama_backend_init()
        self._model = lib.llama_model_load_from_file(file.encode(), lib.llama_model_default_params())
        how = lib.llama_context_default_params()
        how.n_ctx, how.n_batch, how.n_seq_max, how.kv_unified = CELLS, BATCH, SEATS, True
        how.n_threads = how.n_threads_batch = threads
        self._context = lib.llama_init_from_model(self._model, how)
        self._size = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(self._model))
        self._batch = lib.llama_batch_init(BATCH, 0, 1)

    def answer(self, prompts: list[list[int]], tokens: int) -> list[list[int]]:
        lib.llama_memory_clear(lib.llama_get_memory(self._context), True)
        given = [(seat, at, token) for seat, ids in enumerate(prompts) for at, token in enumerate(ids)]
        ends = {(seat, len(ids) - 1) for seat, ids in enumerate(prompts)}
        next_ = []
        for start in range(0, len(given), BATCH):
            part = given[start : start + BATCH]
            next_ += self._read(part, [(seat, at) in ends for seat, at, _ in part])
        written = [[token] for token in next_]
        for step in range(1, tokens):
            part = [(seat, len(prompts[seat]) + step - 1, ids[-1]) for seat, ids in enumerate(written)]
            for ids, token in zip(written, self._read(part, [True] * len(part)), strict=True):
                ids.append(token)
        return written

    def _read(self, tokens: list[tuple[int, int, int]], wanted: list[bool]) -> list[int]:
        """The likeliest token after each of those that are wanted."""
        batch = self._batch
        batch.n_tokens = len(tokens)
        for place, (seat, at, token) in enumerate(tokens):
            batch.token[place], batch.pos[place], batch.logits[place] = token, at, wanted[place]
            batch.n_seq_id[place], batch.seq_id[place][0] = 1, seat
        if lib.llama_decode(self._context, batch):
            raise RuntimeError("llama.cpp could not read the tokens")
        rows = (lib.llama_get_logits_ith(self._context, place) for place, one in enumerate(wanted) if one)
        return [int(np.ctypeslib.as_array(row, shape=(self._size,)).argmax()) for row in rows]


def main() -> None:
    silent = lib.llama_log_callback(lambda *_: None)
    lib.llama_log_set(silent, ctypes.c_void_p(0))
    model = Model(sys.argv[1], int(sys.argv[2]))
    for line in sys.stdin:
        print(json.dumps(model.answer(*json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
