"""Benchmarks write what they measured into one page, RESULTS.md, each its own section."""

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PAGE = Path(__file__).parent / "RESULTS.md"
HEAD = "# Measured\n\nWritten by `make bench`; every section by the script it names.\n"


def section(name: str, text: str, page: Path = PAGE) -> None:
    """Replace the section called `name` (or add it at the end) by `text`, which is Markdown."""
    old = page.read_text(encoding="utf-8") if page.exists() else HEAD
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", old, re.MULTILINE | re.DOTALL))
    sections |= {"Machine": machine(), name: text}
    body = "\n".join(f"## {title}\n\n{words.strip()}\n" for title, words in sections.items())
    page.write_text(f"{HEAD}\n{body}", encoding="utf-8")
    print(f"## {name}\n\n{text.strip()}\n")


def machine() -> str:
    """One paragraph: the processor, the system, the versions that matter, the day."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "gradio"))
    return (
        f"{os.cpu_count()} cores of {_processor()}, {platform.system()}, Python {platform.python_version()}; "
        f"{versions}; {datetime.now(UTC):%Y-%m-%d}."
    )


def _processor() -> str:
    try:
        found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()
