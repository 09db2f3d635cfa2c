"""What holds for every file of the project."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from .test_layers import SOURCES, imports

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def tracked(*patterns: str) -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    names = subprocess.run(
        ["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, check=True
    ).stdout
    return [path for name in names.decode().split("\0") if name and (path := ROOT / name).is_file()]


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        (("settings", "schema"), {"torch", "transformers", "gradio"}),
        (("service", "ui", "api.app"), {"torch", "transformers"}),
    ],
)
def test_imports_are_light(modules: tuple[str, ...], heavy: set[str]):
    code = f"import sys, {', '.join('inference_chat.' + name for name in modules)}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not heavy & set(run.stdout.split())


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_modules_are_short(source: Path):
    assert len(source.read_text(encoding="utf-8").splitlines()) <= 400


def test_no_file_is_too_large_for_a_plain_repository():
    assert [path.name for path in tracked() if path.stat().st_size > 9_500_000] == []


OPTIONAL = {"llama_cpp": ["llama-cpp-python"]}
"""What comes with extras may not be installed: modules, and the packages they are of."""


def test_what_is_imported_is_declared():
    extras = [
        line for name, lines in PROJECT["optional-dependencies"].items() if name != "dev" for line in lines
    ]
    lines = [*PROJECT["dependencies"], *extras]
    declared = {canonical(re.split(r"[^\w.-]", line)[0]) for line in lines}
    homes = {**packages_distributions(), **OPTIONAL}
    used = {name.split(".")[0] for source in SOURCES for name in imports(source)}
    used -= {"", *sys.stdlib_module_names}
    assert not [name for name in used if not {canonical(home) for home in homes.get(name, [])} & declared]


def test_pins_are_exact_and_fit_every_platform():
    text = (ROOT / "requirements.txt").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.!]+", line) for line in lines)
    assert "torch==2.13.0" in lines
    assert {canonical(line.split("==")[0]) for line in lines} >= {
        canonical(re.split(r"[^\w.-]", line)[0]) for line in PROJECT["dependencies"]
    }


def test_python_files_are_parsed_by_the_oldest_python_we_name():
    assert PROJECT["requires-python"] == ">=3.11"
    for path in tracked("*.py"):
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 11))
