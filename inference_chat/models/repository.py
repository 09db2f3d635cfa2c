"""Which of a hub repository's files a model needs: one set of weights, and all that is read beside it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from ..errors import InvalidModel, UnsafeModel
from ..runners.checkpoint import INDEX, PICKLES, WHOLE

BESIDE: Final = (".json", ".txt", ".model", ".jinja")
VOICES: Final = "spk_dict.pt"
"""The voices of an omni model: the only file of another kind, which `runners/aloud.py` reads."""
LARGEST_BESIDE: Final = 128 << 20
WEIGHTS: Final = ".safetensors"


@dataclass(frozen=True)
class File:
    """A file of a repository: its size in bytes; `blob`, the digest that names its content."""

    path: str
    size: int
    blob: str
    sha256: str | None = None

    @property
    def folder(self) -> str:
        return str(PurePosixPath(self.path).parent)

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name


def weights(files: Iterable[File]) -> list[File]:
    return [file for file in files if file.path.endswith(WEIGHTS)]


def chosen(hub_id: str, files: Sequence[File]) -> tuple[File, ...]:
    """What is fetched of a repository; raises `InvalidModel`, `UnsafeModel` where nothing can be loaded."""
    names = {file.path for file in files}
    if unsafe := [file.path for file in files if _leads_out(file.path) or not file.blob]:
        raise UnsafeModel(f"{hub_id} lists a file that cannot be kept: {unsafe[0][:80]!r}.")
    if INDEX not in names and "config.json" not in names:
        raise InvalidModel(f"{hub_id} is no model that can be loaded here: it has no config.json.")
    parts = INDEX in names
    picked = [
        file for folder in _folders(files) if parts or folder == "." for file in _one_set(files, folder)
    ]
    if not picked:
        raise _no_weights(hub_id, names)
    beside = [
        file
        for file in files
        if file.path in ("README.md", VOICES) or (file.path.endswith(BESIDE) and file.size <= LARGEST_BESIDE)
    ]
    return (*beside, *picked)


def _folders(files: Sequence[File]) -> list[str]:
    """Folders with weights; in a folder of parts, those at the top are all of them in one, and not needed."""
    return sorted({file.folder for file in weights(files)})


def _one_set(files: Sequence[File], folder: str) -> list[File]:
    """The weights of a folder as `inspect` will choose them: a whole file, else all shards; no variants."""
    found = [file for file in weights(files) if file.folder == folder]
    whole = [file for file in found if file.name.split(".")[0] in WHOLE]
    plain = [file for file in whole if file.name.count(".") == 1]
    shards = [file for file in found if "-of-" in file.name and file.name.count(".") == 1]
    return plain[:1] or shards or whole[:1] or found


def _leads_out(path: str) -> bool:
    return path.startswith(("/", "\\")) or ".." in PurePosixPath(path).parts or "\\" in path or "\0" in path


def _no_weights(hub_id: str, names: set[str]) -> InvalidModel | UnsafeModel:
    if pickled := next((name for name in sorted(names) if name.endswith(PICKLES)), None):
        return UnsafeModel(
            f"{hub_id} has its weights as {pickled[:80]}, a format that can run code when opened; "
            "choose a model with safetensors."
        )
    return InvalidModel(f"{hub_id} has no weights: a model.safetensors file is needed.")
