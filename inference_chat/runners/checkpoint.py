"""A folder in Hugging Face layout, read without torch: what it holds, how big it is, whether it is safe.

Only `config.json` and the headers of the safetensors files are read (the format: an 8-byte
little-endian length, then JSON; https://huggingface.co/docs/safetensors), so a look costs milliseconds
whatever the size of the weights.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import InvalidModel, UnsafeModel

DTYPE_BYTES = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
}
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt", ".h5", ".msgpack")
LFS_POINTER = b"version https://git-lfs"
MAX_HEADER = 100_000_000
EDGE = 1 << 20
FEWEST_ELEMENTS = 64


@dataclass(frozen=True)
class Tensors:
    """What one safetensors header says: bytes, elements and number formats."""

    bytes: int
    elements: int
    dtypes: frozenset[str]


@dataclass(frozen=True)
class Checkpoint:
    """A model folder that `inspect` found loadable."""

    folder: Path
    config: dict[str, Any]
    files: tuple[Path, ...]
    tensors: Tensors

    @property
    def architecture(self) -> str:
        """The class that wrote the weights, as `LlamaForCausalLM`."""
        names = self.config.get("architectures") or [""]
        return str(names[0])

    @property
    def file_size(self) -> int:
        """Bytes of the weight files."""
        return sum(file.stat().st_size for file in self.files)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over every small file whole, and over the size and both ends of every large one.

        Both ends of a safetensors file hold its header and its last tensor: enough to tell two
        trainings apart without reading gigabytes.
        """
        sha = hashlib.sha256()
        for path in sorted(
            p for p in self.folder.iterdir() if p.suffix in {".json", ".safetensors", ".jinja"}
        ):
            size = path.stat().st_size
            sha.update(f"{path.name}\0{size}\0".encode())
            with path.open("rb") as file:
                if size <= 16 * EDGE:
                    sha.update(file.read())
                else:
                    sha.update(file.read(EDGE))
                    file.seek(size - EDGE)
                    sha.update(file.read(EDGE))
        return sha.hexdigest()


def inspect(folder: Path) -> Checkpoint:
    """Look at a model folder and say why it cannot be loaded, if it cannot.

    Raises `InvalidModel` for what is missing or broken, `UnsafeModel` for pickle weights or an
    architecture that exists only as code in the folder.
    """
    if not folder.is_dir():
        raise InvalidModel(f"There is no folder named {folder.name!r}; give a folder in Hugging Face layout.")
    config = _config(folder)
    files = tuple(_weight_files(folder))
    headers = [_header(file) for file in files]
    tensors = Tensors(
        bytes=sum(header.bytes for header in headers),
        elements=sum(header.elements for header in headers),
        dtypes=frozenset().union(*(header.dtypes for header in headers)),
    )
    if tensors.elements < FEWEST_ELEMENTS:
        raise InvalidModel(
            f"The weights of {folder.name!r} are a header with no tensors to speak of "
            f"({tensors.elements} numbers): copy or download the whole file again."
        )
    return Checkpoint(folder=folder, config=config, files=files, tensors=tensors)


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise InvalidModel(f"{folder.name!r} is no model folder: it has no config.json.")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise InvalidModel(f"The config.json of {folder.name!r} cannot be read: {_short(error)}.") from error
    if not isinstance(config, dict):
        raise InvalidModel(f"The config.json of {folder.name!r} is not a JSON object.")
    return config


def _weight_files(folder: Path) -> Iterator[Path]:
    """The safetensors files, all that an index names included."""
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        pickled = next((p.name for p in sorted(folder.iterdir()) if p.suffix in PICKLES), None)
        if pickled:
            raise UnsafeModel(
                f"{folder.name!r} has its weights as {pickled}, a format that can run code when opened. "
                "Convert them to safetensors (`model.save_pretrained(folder)` where you trust the file)."
            )
        raise InvalidModel(f"{folder.name!r} has no weights: a model.safetensors file is needed.")
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise InvalidModel(
                f"The weight index of {folder.name!r} cannot be read: {_short(error)}."
            ) from error
        missing = sorted(named - {path.name for path in found})
        if missing:
            raise InvalidModel(
                f"{folder.name!r} lacks {len(missing)} weight files, first {missing[0]}: finish the download."
            )
        found = [path for path in found if path.name in named]
    yield from found


def _header(path: Path) -> Tensors:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        if (start + file.read(len(LFS_POINTER) - 8)) == LFS_POINTER:
            raise InvalidModel(
                f"{path.name} is a git-lfs pointer, not the weights: run `git lfs pull` in the repository."
            )
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > min(MAX_HEADER, size - 8):
            raise InvalidModel(f"{path.name} is cut short or no safetensors file: copy or download it again.")
        file.seek(8)
        try:
            entries = json.loads(file.read(length))
            entries.pop("__metadata__", None)
            return _sum(entries, path, size - 8 - length)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise InvalidModel(f"The header of {path.name} cannot be read: {_short(error)}.") from error


def _sum(entries: dict[str, Any], path: Path, payload: int) -> Tensors:
    end = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
    if end > payload:
        raise InvalidModel(
            f"{path.name} is truncated: {end:,} bytes of tensors are announced, {payload:,} are there. "
            "Copy or download it again."
        )
    elements = 0
    for entry in entries.values():
        count = 1
        for dimension in entry["shape"]:
            count *= dimension
        elements += count
    return Tensors(
        bytes=end, elements=elements, dtypes=frozenset(entry["dtype"] for entry in entries.values())
    )


def _short(error: Exception) -> str:
    return str(error).split("\n")[0][:120]
