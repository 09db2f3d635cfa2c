"""The house has floors: a module imports only what stands on its own floor or below, and each
third-party library is known to few. What a new module may import is decided by adding it here."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "inference_chat"

ROWS: list[set[str]] = [
    {"errors", "tasks", "schema", "events", "settings", "logs"},
    {
        "cache",
        "database",
        "files",
        "gallery",
        "ledger",
        "media",
        "outputs",
        "records",
        "registry",
        "sessions",
        "slots",
    },
    {"runners"},
    {
        "access",
        "allowances",
        "batches",
        "engine",
        "inside",
        "intake",
        "jobs",
        "loaded",
        "overview",
        "pool",
        "tools",
    }
    | {
        "chats",
        "comparing",
        "evaluating",
        "models",
        "planning",
        "recommending",
        "service",
        "suggested",
        "worker",
    },
    {"api", "ui"},
    {"start", "__main__", "__init__"},
]
APART = {("api", "ui"), ("ui", "api")}

# Library → the modules (or their packages) that may import it; anything not named here is free.
CONFINED: dict[str, set[str]] = {
    "torch": {"runners"},
    "transformers": {"runners"},
    "diffusers": {"runners"},
    "huggingface_hub": {"runners", "models.hub", "models.fetching", "registry.cards"},
    "greenlet": {"runners"},
    "tokenizers": {"runners"},
    "llguidance": {"runners"},
    "llama_cpp": {"runners"},
    "safetensors": {"runners"},
    "tinydb": {"registry"},
    "sqlalchemy": {
        "comparing.votes",
        "database",
        "evaluating.store",
        "gallery",
        "ledger",
        "records",
        "sessions",
        "slots",
    },
    "moviepy": {"media"},
    "av": {"media"},
    "cv2": {"runners"},
    "scenedetect": {"runners"},
    "supervision": {"runners", "evaluating.scoring"},
    "trackers": {"runners"},
    "PIL": {"media", "runners"},
    "numpy": {"comparing", "media", "runners", "evaluating.scoring", "evaluating.regions"},
    "fastapi": {"api", "start"},
    "starlette": {"api"},
    "prometheus_client": {"api"},
    "mcp": {"api"},
    "gradio": {"ui", "api.app", "start"},
    "uvicorn": {"start"},
}

SOURCES = sorted(PACKAGE.rglob("*.py"))


def name_of(source: Path) -> str:
    return ".".join(source.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def imports(source: Path) -> Iterator[str]:
    """What `source` imports, anywhere in it; our own modules as `.runners.text`."""
    package = list(source.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.replace("inference_chat", "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
            yield from (".".join(["", *base, *([] if node.module else [a.name])]) for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module).replace("inference_chat", "")


def floor(top: str) -> int:
    found = [i for i, row in enumerate(ROWS) if top in row]
    assert found, f"{top} is on no floor yet: add it to ROWS"
    return found[0]


@pytest.mark.parametrize("source", SOURCES, ids=name_of)
def test_imports_only_what_it_stands_on(source: Path):
    top = name_of(source).split(".")[0]
    own = {name.split(".")[1] for name in imports(source) if name.startswith(".")} - {"__version__"}
    assert not [other for other in own if floor(other) > floor(top) or (top, other) in APART]


@pytest.mark.parametrize("source", SOURCES, ids=name_of)
def test_keeps_to_its_libraries(source: Path):
    name = name_of(source)
    libraries = {found.split(".")[0] for found in imports(source) if not found.startswith(".")}
    for library in libraries & CONFINED.keys():
        assert any(name == home or name.startswith(f"{home}.") for home in CONFINED[library]), library


def test_no_import_cycles():
    graph = {name_of(source): {name.removeprefix(".") for name in imports(source)} for source in SOURCES}
    while leaves := {name for name, below in graph.items() if not below & graph.keys()}:
        graph = {name: below for name, below in graph.items() if name not in leaves}
    assert not graph
