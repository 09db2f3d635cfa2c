"""What writing down a long recording costs beside the bare model: `python -m tests.bench.bench_speech`.

The bare side is a loop by hand: the file read, cut into the same stretches, and each given to transformers'
feature extractor and `generate`. Times are of the thread that does the work. Needs the program espeak-ng.
"""

import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from difflib import SequenceMatcher
from pathlib import Path
from threading import Event as Flag

import numpy as np

from examples.train_starters.listener_data.sentences import sentence
from examples.train_starters.listener_data.voices import RATE, render, voice
from inference_chat.events import Result
from inference_chat.media import Sound, open_sound, wav_bytes
from inference_chat.runners.device import prepare
from inference_chat.runners.stretches import Stretch, stretches
from inference_chat.runners.whisper import WhisperRunner, in_a_room
from inference_chat.schema import Media
from inference_chat.tasks import Task
from tests.runners.tiny_media import kept, open_runner, request

from .report import section

CARD = Path(__file__).parents[2] / "model_cards" / "starter-listener"
MINUTES, VOICES, ROUNDS, TOKENS = 3, 24, 7, 40


def speech(minutes: float) -> np.ndarray:
    """Sentences of several voices with pauses between them, at full scale 1."""
    rng = random.Random("bench")
    said = [render(sentence(rng, "test"), voice(rng, "test")) / 32768 for _ in range(VOICES)]
    parts: list[np.ndarray] = []
    while sum(map(len, parts)) < minutes * 60 * RATE:
        parts += [rng.choice(said), np.zeros(RATE // 2)]
    return np.concatenate(parts).astype(np.float32)


def large(folder: Path) -> Path:
    """starter-listener's ears and words, with random weights of the size that Whisper calls tiny."""
    import torch
    from transformers import AutoConfig, AutoProcessor, WhisperForConditionalGeneration

    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(CARD)
    for side in ("encoder", "decoder"):
        for name, value in {"layers": 4, "attention_heads": 6, "ffn_dim": 1536}.items():
            setattr(config, f"{side}_{name}", value)
    config.d_model = 384
    model = WhisperForConditionalGeneration(config)
    model.generation_config = WhisperForConditionalGeneration.from_pretrained(CARD).generation_config
    model.save_pretrained(folder)
    AutoProcessor.from_pretrained(CARD).save_pretrained(folder)
    return folder


def bare(runner: WhisperRunner, sound: Media) -> str:
    """The text of a recording, as one would have it without this program."""
    import torch

    wave = open_sound(sound.read()).mono
    blocks = (wave[at : at + RATE] for at in range(0, len(wave), RATE))
    texts = []
    for one in stretches(blocks, RATE, runner.window, breaths=True):
        if isinstance(one, Stretch):
            samples = in_a_room(one.samples, RATE, runner.window)
            inputs = runner._ears(samples, sampling_rate=RATE, return_tensors="pt")
            with torch.inference_mode():
                ids = runner._model.generate(**inputs, max_new_tokens=TOKENS, force_unique_generate_call=True)
            texts.append(runner._tokenizer.decode(ids[0], skip_special_tokens=True).strip())
    return " ".join(texts)


def compared(folder: Path, sound: Media) -> tuple[float, float, float]:
    """Seconds of the bare loop, the median ratio of the runner's to them, and how alike the texts are."""
    runner = open_runner(folder)
    assert isinstance(runner, WhisperRunner)
    asked = request(Task.AUTOMATIC_SPEECH_RECOGNITION, sound, max_tokens=TOKENS)
    sides: tuple[Callable[[], str], ...] = (
        lambda: bare(runner, sound),
        lambda: Result.of(runner.run(asked, Flag())).text,
    )
    took: list[list[float]] = []
    texts: list[list[str]] = []
    for _ in range(ROUNDS + 1):
        took.append([])
        texts.append([])
        for side in sides:
            began = time.thread_time()
            texts[-1].append(side())
            took[-1].append(time.thread_time() - began)
    alone, told = (text.split() for text in texts[-1])
    alike = SequenceMatcher(a=alone, b=told, autojunk=False).ratio()
    ratio = statistics.median(ours / first for first, ours in took[1:])
    return statistics.median(first for first, _ in took[1:]), ratio, alike


def main() -> None:
    prepare(threads=1)
    wave = speech(MINUTES)
    rows = ""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        sound = kept(place, wav_bytes(Sound(wave[:, None], RATE)), "audio", "audio/wav")
        for name, folder in (
            ("starter-listener", CARD),
            ("as large as Whisper tiny", large(place / "large")),
        ):
            alone, ratio, alike = compared(folder, sound)
            rows += (
                f"| {name} | {alone:.2f} | {len(wave) / RATE / alone:,.0f} | {ratio:.3f} | {alike:.3f} |\n"
            )
    section(
        "Speech",
        f"`tests/bench/bench_speech.py`: {len(wave) / RATE / 60:.0f} minutes of speech, one thread, {ROUNDS} "
        f"rounds in turns (goal: at most 1.05).\n\n"
        "| model | bare, s | times as quick as it was said | runner / bare | words alike |\n"
        f"|---|---:|---:|---:|---:|\n{rows}",
    )


if __name__ == "__main__":
    if shutil.which("espeak-ng") is None:
        print("espeak-ng is not installed; nothing was measured.")
    else:
        main()
