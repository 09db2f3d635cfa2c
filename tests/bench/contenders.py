"""What the text engine is measured against, each of which answers many prompts at once.

Libraries with threads of their own run in processes of their own, which stand still between their turns.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, Self

import httpx
import psutil

WORKER = Path(__file__).with_name("llama_worker.py")
STARTING = 120
"""Seconds that a server may take to start."""


class Missing(Exception):
    """A contender that is not here; it says why."""


class Spent:
    """Seconds by the clock and by the processor, of this process and of one other."""

    def __init__(self, other: psutil.Process | None = None) -> None:
        self._other = other
        self._wall, self._cpu = time.perf_counter(), self._processor()

    def _processor(self) -> float:
        if self._other is None:
            return time.process_time()
        times = self._other.cpu_times()
        return float(times.user + times.system)

    def now(self) -> tuple[float, float]:
        return time.perf_counter() - self._wall, self._processor() - self._cpu


class Contender(Protocol):
    async def answer(self, prompts: Sequence[str], tokens: int) -> tuple[float, float]:
        """Write so many tokens to each prompt; the seconds by the clock and by the processor."""

    def close(self) -> None: ...


class Bare:
    """The weights under `generate`: one prompt after the other (as behind a lock), or a batch of them."""

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
        self._model = model.eval()
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)

    def __call__(self, prompts: Sequence[str], tokens: int) -> tuple[float, float]:
        """Prompts of one length."""
        import torch

        spent = Spent()
        ids = torch.tensor([self.tokenizer(prompt)["input_ids"] for prompt in prompts])
        with torch.inference_mode():
            self._model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                min_new_tokens=tokens,
                max_new_tokens=tokens,
            )
        return spent.now()


class OnThread:
    """The bare model on the engine's own inference thread; the time of the first `rows` is scaled to all."""

    def __init__(self, bare: Bare, worker: Any, rows: int | None) -> None:
        self._bare, self._worker, self._rows = bare, worker, rows

    async def answer(self, prompts: Sequence[str], tokens: int) -> tuple[float, float]:
        some = prompts[: self._rows]
        wall, cpu = await self._worker.call(lambda: self._bare(some, tokens))
        share = len(prompts) / len(some)
        return wall * share, cpu * share

    def close(self) -> None:
        """It goes with its process."""


class _Process:
    """A process that stands still while it is not asked."""

    def __init__(self, command: Sequence[str], threads: int, **how: Any) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
        self._process = subprocess.Popen(command, env=environment, **how)
        self._watched = psutil.Process(self._process.pid)

    def __enter__(self) -> Spent:
        self._process.send_signal(signal.SIGCONT)
        return Spent(self._watched)

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


BOUNDS = ("--cb-block-size", "32", "--cb-num-blocks", "512", "--cb-max-batch-tokens", "512")


class Serve(_Process):
    """`transformers serve --continuous-batching`, asked over HTTP.

    Its cache is bounded, as by default it takes most of the memory and more than a minute to start.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        if find_spec("openai") is None:
            raise Missing("not installed (`pip install transformers[serving]`)")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        told = ["--device", "cpu", "--dtype", "bfloat16", "--host", "127.0.0.1", "--port", str(port)]
        command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        super().__init__([*command, "--continuous-batching", *told, *BOUNDS], threads, **quiet)
        self._model = str(folder)
        self._client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=600, trust_env=False)

    async def ready(self) -> Self:
        limit = time.monotonic() + STARTING
        while self._process.poll() is None and time.monotonic() < limit:
            try:
                await self._client.get("/health")
                await self.answer(["warm"], 2)
            except httpx.TransportError:
                await asyncio.sleep(0.2)
            else:
                return self
        self.close()
        raise Missing("did not start")

    async def answer(self, prompts: Sequence[str], tokens: int) -> tuple[float, float]:
        with self as spent:
            await asyncio.gather(*(self._one(prompt, tokens) for prompt in prompts))
            return spent.now()

    async def _one(self, prompt: str, tokens: int) -> None:
        asked = {"model": self._model, "prompt": prompt, "max_tokens": tokens, "temperature": 0}
        answer = await self._client.post("/v1/completions", json=asked)
        assert answer.json()["usage"]["completion_tokens"] == tokens, answer.text


class Llama(_Process):
    """llama.cpp by the functions of its library, greedy, without text or HTTP: the best that it can do."""

    def __init__(self, python: str, file: Callable[[], Path], tokenizer: Any, threads: int) -> None:
        tried = subprocess.run([python, "-c", "import llama_cpp"], capture_output=True, check=False)
        if tried.returncode:
            raise Missing("not installed (`pip install llama-cpp-python`)")
        self._tokenizer = tokenizer
        pipe = subprocess.PIPE
        command = [python, str(WORKER), str(file()), str(threads)]
        super().__init__(command, threads, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)

    async def answer(self, prompts: Sequence[str], tokens: int) -> tuple[float, float]:
        asked = json.dumps([[self._tokenizer(prompt)["input_ids"] for prompt in prompts], tokens])
        with self as spent:
            written = await asyncio.to_thread(self._ask, asked)
            found = spent.now()
        assert [len(ids) for ids in written] == [tokens] * len(prompts)
        return found

    def _ask(self, line: str) -> list[list[int]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        found: list[list[int]] = json.loads(self._process.stdout.readline())
        return found
