"""Generated media for tests, and real ones where a folder with them is named."""

import os
import wave
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

REAL = Path(os.environ.get("INFERENCE_CHAT_REAL", Path(__file__).parents[3] / "shared" / "real")) / "inputs"


def real(name: str) -> bytes:
    """A real file's bytes; skips the test where there is none."""
    if not (REAL / name).is_file():
        pytest.skip(f"no {name}: set INFERENCE_CHAT_REAL to a folder whose inputs/ holds it")
    return (REAL / name).read_bytes()


def tone(seconds: float = 0.5, rate: int = 8000, channels: int = 1) -> bytes:
    """A WAV file with a tone of 440 Hz."""
    wave_form = np.sin(np.arange(int(seconds * rate)) * 2 * np.pi * 440 / rate) * 16000
    buffer = BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(np.repeat(wave_form.astype("<i2")[:, None], channels, axis=1).tobytes())
    return buffer.getvalue()
