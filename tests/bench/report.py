"""Benchmarks write what they measured into one page, RESULTS.md, each its own section."""

import os
import platform
import re
import statistics
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PAGE = Path(__file__).parent / "RESULTS.md"
HEAD = "# Measured\n\nWritten by `make bench`; every section by the script it names.\n"


def section(name: str, text: str, page: Path = PAGE, under: str = "") -> None:
    """Replace the section called `name` (or add it at the end) by `text`, which is Markdown.

    `under` says under which conditions it was measured; unset: under those of this moment.
    """
    text = f"{text.strip()}\n\n{under or conditions()}"
    old = page.read_text(encoding="utf-8") if page.exists() else HEAD
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", old, re.MULTILINE | re.DOTALL))
    sections |= {"Machine": machine(), name: text}
    body = "\n".join(f"## {title}\n\n{words.strip()}\n" for title, words in sections.items())
    page.write_text(f"{HEAD}\n{body}", encoding="utf-8")
    print(f"## {name}\n\n{text}\n")


def conditions() -> str:
    """The day, and how busy and how quick the machine is, which is not always the same under one name."""
    load, cores = os.getloadavg()[0], os.cpu_count()
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d} at a load of {load:.1f} on {cores} cores; "
        f"one multiplies bfloat16 at {_pace():.0f} GFLOP/s."
    )


def _pace() -> float:
    """Thousands of millions of operations a second in a product of matrices, the median of some."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        left, right = torch.ones((512, 768)).bfloat16(), torch.ones((768, 3072)).bfloat16()
        spent = []
        for _ in range(21):
            began = time.perf_counter()
            left @ right
            spent.append(time.perf_counter() - began)
    finally:
        torch.set_num_threads(threads)
    return 2 * 512 * 768 * 3072 / statistics.median(spent) / 1e9


def machine() -> str:
    """One paragraph: the processor, the system, the versions that matter."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "gradio"))
    return (
        f"{os.cpu_count()} cores of {_processor()}, {platform.system()}, Python {platform.python_version()}; "
        f"{versions}."
    )


def _processor() -> str:
    try:
        found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()
