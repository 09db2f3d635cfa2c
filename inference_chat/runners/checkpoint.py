"""A folder in Hugging Face layout, read without torch: what it holds, how big it is, whether it is safe.

Only the JSON files and the headers of the weights are read, so a look costs milliseconds whatever
the size of the model.
"""

import hashlib
import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import InvalidModel, UnsafeModel

PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt", ".h5", ".msgpack")
LFS_POINTER = b"version https://git-lfs"
FEWEST_ELEMENTS = 64
DIGESTED = (".json", ".safetensors", ".jinja", ".txt", ".model")
BLOCK = 1 << 20
BLOCKS = 64
DEFAULT_WINDOW = 2048
LONGEST_CACHE = 4096


@dataclass(frozen=True)
class Tensors:
    """What the headers of the weight files say: how many numbers, in which formats."""

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
    def name(self) -> str:
        """What to call the model: its folder's name, or `owner/name` in the cache of the hub."""
        if self.folder.parent.name == "snapshots":
            return self.folder.parents[1].name.removeprefix("models--").replace("--", "/")
        return self.folder.name

    @property
    def architecture(self) -> str:
        """The class that wrote the weights, as `LlamaForCausalLM`; empty where the config does not say."""
        names = self.config.get("architectures")
        return str(names[0]) if isinstance(names, list) and names else ""

    @property
    def window(self) -> int:
        """Tokens the model can attend to, prompt and answer together."""
        names = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
        return self._number(*names) or DEFAULT_WINDOW

    @property
    def cached_elements(self) -> int:
        """Numbers in the keys and values of a full window, or of 4,096 tokens; 0 without attention."""
        layers = self._number("num_hidden_layers", "n_layer")
        heads = self._number("num_attention_heads", "n_head")
        if not heads:
            return 0
        head = self._number("head_dim") or self._number("hidden_size", "n_embd") // heads
        width = head * (self._number("num_key_value_heads") or heads)
        return 2 * layers * width * min(self.window, LONGEST_CACHE)

    def _number(self, *names: str) -> int:
        """The first of these settings that is a positive whole number; 0 where there is none."""
        text = self.config.get("text_config")
        parts = [self.config, text if isinstance(text, dict) else {}]
        found = (part.get(name) for part in parts for name in names)
        return next((value for value in found if type(value) is int and value > 0), 0)

    @property
    def file_size(self) -> int:
        """Bytes of the weight files."""
        return sum(file.stat().st_size for file in self.files)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the files that make the model: whole up to 64 MiB, of larger ones 64 even samples.

        Enough to tell two trainings apart without reading gigabytes.
        """
        sha = hashlib.sha256()
        for path in sorted(p for p in self.folder.iterdir() if p.suffix in DIGESTED and p.is_file()):
            size = path.stat().st_size
            sha.update(f"{path.name}\0{size}\0".encode())
            with path.open("rb") as file:
                for start in range(0, size, max(BLOCK, size // BLOCKS)):
                    file.seek(start)
                    sha.update(file.read(BLOCK))
        return sha.hexdigest()


def inspect(folder: Path) -> Checkpoint:
    """Look at a model folder and say why it cannot be loaded, if it cannot.

    Raises `InvalidModel` for what is missing or broken and `UnsafeModel` for pickle weights. Whether
    the architecture is known is found out when it is loaded.
    """
    try:
        return _look(folder)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidModel(f"{folder.name[:80]!r} cannot be read: {reason}.") from error


def _look(folder: Path) -> Checkpoint:
    if not folder.is_dir():
        raise InvalidModel(f"There is no folder named {folder.name!r}; give a folder in Hugging Face layout.")
    if not (folder / "config.json").is_file():
        raise InvalidModel(f"{folder.name!r} is no model folder: it has no config.json.")
    config = _object(folder / "config.json")
    if not isinstance(config.get("model_type", ""), str):
        raise InvalidModel(f"The config.json of {folder.name!r} has a model_type that is no text.")
    files = tuple(_weight_files(folder))
    headers = [_header(file) for file in files]
    tensors = Tensors(
        elements=sum(header.elements for header in headers),
        dtypes=frozenset().union(*(header.dtypes for header in headers)),
    )
    if tensors.elements < FEWEST_ELEMENTS:
        raise InvalidModel(
            f"The weights of {folder.name!r} are a header with no tensors to speak of "
            f"({tensors.elements} numbers): copy or download the whole file again."
        )
    return Checkpoint(folder=folder, config=config, files=files, tensors=tensors)


def _object(path: Path) -> dict[str, Any]:
    """The JSON object in a file."""
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InvalidModel(f"The {path.name} of {path.parent.name!r} cannot be read: {error}.") from error
    if not isinstance(found, dict):
        raise InvalidModel(f"The {path.name} of {path.parent.name!r} is not a JSON object.")
    return found


def _weight_files(folder: Path) -> list[Path]:
    """The files that transformers would load: one whole, or all that an index names."""
    found = sorted(path for path in folder.glob("*.safetensors") if path.is_file())
    if not found:
        raise _no_weights(folder)
    whole, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if whole in found:
        return [whole]
    if not index.is_file():
        return found
    named = _object(index).get("weight_map")
    if not isinstance(named, dict) or not all(isinstance(name, str) for name in named.values()):
        raise InvalidModel(f"The weight index of {folder.name!r} does not map tensors to files.")
    missing = sorted(set(named.values()) - {path.name for path in found})
    if missing:
        raise InvalidModel(
            f"{folder.name!r} lacks {len(missing)} of its weight files, first {missing[0][:80]!r}: "
            "finish the download."
        )
    return [path for path in found if path.name in named.values()]


def _no_weights(folder: Path) -> InvalidModel | UnsafeModel:
    pickled = next((path.name for path in sorted(folder.iterdir()) if path.suffix in PICKLES), None)
    if pickled is None:
        return InvalidModel(f"{folder.name!r} has no weights: a model.safetensors file is needed.")
    return UnsafeModel(
        f"{folder.name!r} has its weights as {pickled}, a format that can run code when opened. "
        "Convert them to safetensors (`model.save_pretrained(folder)` where you trust the file)."
    )


def _header(path: Path) -> Tensors:
    """What one weight file announces, checked against its size by the library that will load it."""
    from safetensors import SafetensorError, safe_open

    with path.open("rb") as start:
        if start.read(len(LFS_POINTER)) == LFS_POINTER:
            raise InvalidModel(
                f"{path.name} is a git-lfs pointer, not the weights: run `git lfs pull` in the repository."
            )
    try:
        with safe_open(path, framework="np") as file:
            slices = [file.get_slice(name) for name in file.keys()]  # noqa: SIM118 - it is no mapping
            return Tensors(
                elements=sum(math.prod(piece.get_shape()) for piece in slices),
                dtypes=frozenset(piece.get_dtype() for piece in slices),
            )
    except SafetensorError as error:
        raise InvalidModel(
            f"{path.name} is cut short or no safetensors file ({error}): copy or download it again."
        ) from error
