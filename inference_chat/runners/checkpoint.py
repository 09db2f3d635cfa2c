"""A folder in Hugging Face layout, read without torch: what it holds, how big it is, whether it is safe.

Only the JSON files and the headers of the weights are read, so a look costs milliseconds whatever
the size of the model.
"""

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import InvalidModel, UnsafeModel
from .gguf.header import config_of, read_header

PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt", ".h5", ".msgpack")
LFS_POINTER = b"version https://git-lfs"
FEWEST_ELEMENTS = 64
GGUF = ".gguf"
SHARD = re.compile(r"-\d{5}-of-\d{5}$")
"""What the names of a model's files end with where it has several."""
DIGESTED = (".json", ".safetensors", ".jinja", ".txt", ".model")
BLOCK = 1 << 20
BLOCKS = 64
INDEX = "model_index.json"
WHOLE = ("model", "diffusion_pytorch_model")
"""What a file is called that holds all the weights."""
WEIGHTLESS = ("Tokenizer", "TokenizerFast", "Processor", "FeatureExtractor", "Scheduler")
BUILT_IN = {"SceneDetector": "scenedetect"}
"""Architectures that are libraries alone, and those: the only ones that need no weights."""
UNUSED = frozenset({"safety_checker"})
"""Parts of a diffusers folder that are not loaded."""
DEFAULT_WINDOW = 2048
LONGEST_CACHE = 4096


@dataclass(frozen=True)
class Tensors:
    """What the headers of the weight files say: how many numbers, in which formats.

    `parts` are the numbers of each part, by the first word of its tensors' names, where headers were read.
    """

    elements: int
    dtypes: frozenset[str]
    parts: dict[str, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Checkpoint:
    """A model folder that `inspect` found loadable."""

    folder: Path
    config: dict[str, Any]
    files: tuple[Path, ...]
    tensors: Tensors
    variants: dict[str, str | None] = field(default_factory=dict)
    """Of a diffusers folder, the parts with weights, and the variant (`fp16`) their files are named by."""

    @property
    def name(self) -> str:
        """What to call the model: its folder's name, or `owner/name` in the cache of the hub."""
        if self.folder.suffix == GGUF:
            return self.folder.stem
        if self.folder.parent.name == "snapshots":
            return self.folder.parents[1].name.removeprefix("models--").replace("--", "/")
        return self.folder.name

    @property
    def architecture(self) -> str:
        """The class that wrote the weights, as `LlamaForCausalLM` or, of a diffusers folder,
        `StableDiffusionPipeline`; empty where the config does not say."""
        names = self.config.get("architectures") or [self.config.get("_class_name", "")]
        return str(names[0]) if isinstance(names, list) and names else ""

    @property
    def framework(self) -> str:
        """The library that loads it."""
        if self.architecture in BUILT_IN:
            return BUILT_IN[self.architecture]
        if self.architecture == "GGUF":
            return "llama.cpp"
        return "diffusers" if "_class_name" in self.config else "transformers"

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
        thinker = self.config.get("thinker_config")
        whole = [self.config, *([thinker] if isinstance(thinker, dict) else [])]
        texts = [part.get("text_config") for part in whole]
        parts = [*whole, *(text for text in texts if isinstance(text, dict))]
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
        for name, path in self._digested():
            size = path.stat().st_size
            sha.update(f"{name}\0{size}\0".encode())
            with path.open("rb") as file:
                for start in range(0, size, max(BLOCK, size // BLOCKS)):
                    file.seek(start)
                    sha.update(file.read(BLOCK))
        return sha.hexdigest()

    def _digested(self) -> Iterator[tuple[str, Path]]:
        """The files that make the model, by their names in its folder."""
        if self.framework == "llama.cpp":
            yield from ((path.name, path) for path in self.files)
            return
        parts = [self.folder / name for name in self.config if (self.folder / name).is_dir()]
        folders = [self.folder, *(sorted(parts) if self.framework == "diffusers" else ())]
        for path in (p for folder in folders for p in sorted(folder.iterdir())):
            if path.suffix in DIGESTED and path.is_file():
                yield path.relative_to(self.folder).as_posix(), path


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
    if folder.suffix == GGUF and folder.is_file():
        return _look_at_gguf(folder, [folder])
    if not folder.is_dir():
        raise InvalidModel(
            f"There is no folder named {folder.name!r}; give a folder in Hugging Face layout, or a GGUF file."
        )
    if (folder / INDEX).is_file():
        return _look_at_parts(folder)
    packed = sorted(path for path in folder.glob(f"*{GGUF}") if path.is_file())
    if packed and not any(folder.glob("*.safetensors")):
        return _look_at_gguf(folder, packed)
    if not (folder / "config.json").is_file():
        raise InvalidModel(f"{folder.name!r} is no model folder: it has no config.json.")
    config = _object(folder / "config.json")
    if not isinstance(config.get("model_type", ""), str):
        raise InvalidModel(f"The config.json of {folder.name!r} has a model_type that is no text.")
    bare = Checkpoint(folder=folder, config=config, files=(), tensors=Tensors(0, frozenset()))
    if bare.architecture in BUILT_IN:
        return bare
    files = tuple(_weight_files(folder))
    return replace(bare, files=files, tensors=_tensors(folder, files))


def _look_at_gguf(folder: Path, files: list[Path]) -> Checkpoint:
    """One model of llama.cpp, in one file or in numbered ones, of which it is given the first."""
    if len({SHARD.sub("", path.stem) for path in files}) > 1 or (
        len(files) > 1 and not SHARD.search(files[0].stem)
    ):
        raise InvalidModel(
            f"{folder.name!r} holds several GGUF files, as {files[0].name!r}; give the path of one of them."
        )
    for path in files:
        _check_pointer(path)
    headers = [read_header(path) for path in files]
    tensors = Tensors(sum(header.elements for header in headers), frozenset({headers[0].format}))
    return Checkpoint(folder, config_of(headers[0]), tuple(files), tensors)


def _look_at_parts(folder: Path) -> Checkpoint:
    """A diffusers folder: an index of parts, those with weights in folders of their own."""
    index = _object(folder / INDEX)
    if not isinstance(index.get("_class_name"), str):
        raise UnsafeModel(
            f"The {INDEX} of {folder.name!r} names no pipeline of diffusers; one with code of its own is "
            "never executed here."
        )
    files: list[Path] = []
    variants: dict[str, str | None] = {}
    for name, (library, kind) in _parts(folder, index).items():
        if not (part := folder / name).is_dir():
            raise InvalidModel(f"{folder.name!r} lacks its {name[:80]!r}: finish the download.")
        _check_library(folder, name, library, kind)
        if (part / "config.json").is_file() and not kind.endswith(WEIGHTLESS):
            found, variants[name] = _variant_files(part)
            files += found
    return Checkpoint(folder, index, tuple(files), _tensors(folder, files), variants)


def _parts(folder: Path, index: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """The parts that are loaded, each with its library and its class."""
    parts = {name: value for name, value in index.items() if isinstance(value, list) and len(value) == 2}
    named = {
        name: (value[0], value[1])
        for name, value in parts.items()
        if name not in UNUSED and isinstance(value[0], str) and isinstance(value[1], str)
    }
    if any(Path(name).name != name for name in named):
        raise UnsafeModel(f"The {INDEX} of {folder.name!r} names parts outside of the folder.")
    return named


def _check_library(folder: Path, name: str, library: str, kind: str) -> None:
    """Refuse a part that other code than diffusers' and transformers' would load."""
    home = find_spec("diffusers")
    own = Path(home.origin).parent / "pipelines" / library if home and home.origin else None
    plain = library.isidentifier() and kind.isidentifier()
    if not plain or not (library in ("diffusers", "transformers") or (own is not None and own.is_dir())):
        raise UnsafeModel(
            f"The {name} of {folder.name!r} is loaded by {library[:80]!r}: code that came with a model is "
            "never executed here. Use a model whose parts are of diffusers and transformers alone."
        )


def _variant_files(part: Path) -> tuple[list[Path], str | None]:
    """The weight files of a part of a diffusers folder; those without a variant first of all."""
    plain = [path for path in part.glob("*.safetensors") if _variant(path.name) is None]
    others = sorted({_variant(path.name) or "" for path in part.glob("*.safetensors")} - {""})
    if plain or not others:
        return _weight_files(part, lambda name: _variant(name) is None), None
    return _weight_files(part, lambda name: _variant(name) == others[0]), others[0]


def _variant(name: str) -> str | None:
    """`fp16` of `model.fp16.safetensors` and `model.fp16-00001-of-00002.safetensors`."""
    words = name.split(".")
    return words[1].split("-")[0] if len(words) > 2 else None


def _tensors(folder: Path, files: Sequence[Path]) -> Tensors:
    headers = [_header(file) for file in files]
    tensors = Tensors(
        elements=sum(header.elements for header in headers),
        dtypes=frozenset().union(*(header.dtypes for header in headers)),
        parts=sum((Counter(header.parts) for header in headers), Counter()),
    )
    if tensors.elements < FEWEST_ELEMENTS:
        raise InvalidModel(
            f"The weights of {folder.name!r} are a header with no tensors to speak of "
            f"({tensors.elements} numbers): copy or download the whole file again."
        )
    return tensors


def _object(path: Path) -> dict[str, Any]:
    """The JSON object in a file."""
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InvalidModel(f"The {path.name} of {path.parent.name!r} cannot be read: {error}.") from error
    if not isinstance(found, dict):
        raise InvalidModel(f"The {path.name} of {path.parent.name!r} is not a JSON object.")
    return found


def _weight_files(folder: Path, fits: Callable[[str], bool] = lambda name: True) -> list[Path]:
    """The files that would be loaded, of those whose names fit: one whole, or all that an index names."""
    found = sorted(path for path in folder.glob("*.safetensors") if path.is_file() and fits(path.name))
    if not found:
        raise _no_weights(folder)
    whole = [path for path in found if path.name.split(".")[0] in WHOLE]
    indices = [path for path in folder.glob("*.safetensors.index*.json") if fits(_of_index(path.name))]
    if whole:
        return [min(whole, key=lambda path: len(path.name))]
    if not indices:
        return found
    named = _object(indices[0]).get("weight_map")
    if not isinstance(named, dict) or not all(isinstance(name, str) for name in named.values()):
        raise InvalidModel(f"The weight index of {folder.name!r} does not map tensors to files.")
    missing = sorted(set(named.values()) - {path.name for path in found})
    if missing:
        raise InvalidModel(
            f"{folder.name!r} lacks {len(missing)} of its weight files, first {missing[0][:80]!r}: "
            "finish the download."
        )
    return [path for path in found if path.name in named.values()]


def _of_index(name: str) -> str:
    """How an index's files are called: `model.fp16.x` for `model.safetensors.index.fp16.json`."""
    words = name.removesuffix(".json").split(".")
    return ".".join([words[0], *(word for word in words[1:] if word not in ("safetensors", "index")), "x"])


def _no_weights(folder: Path) -> InvalidModel | UnsafeModel:
    pickled = next((path.name for path in sorted(folder.iterdir()) if path.suffix in PICKLES), None)
    if pickled is None:
        return InvalidModel(f"{folder.name!r} has no weights: a model.safetensors file is needed.")
    return UnsafeModel(
        f"{folder.name!r} has its weights as {pickled}, a format that can run code when opened. "
        "Convert them to safetensors (`model.save_pretrained(folder)` where you trust the file)."
    )


def _check_pointer(path: Path) -> None:
    with path.open("rb") as start:
        if start.read(len(LFS_POINTER)) == LFS_POINTER:
            raise InvalidModel(
                f"{path.name} is a git-lfs pointer, not the weights: run `git lfs pull` in the repository."
            )


def _header(path: Path) -> Tensors:
    """What one weight file announces, checked against its size by the library that will load it."""
    from safetensors import SafetensorError, safe_open

    _check_pointer(path)
    try:
        with safe_open(path, framework="np") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
            parts: Counter[str] = Counter()
            for name, piece in slices.items():
                parts[name.partition(".")[0]] += math.prod(piece.get_shape())
            return Tensors(
                elements=parts.total(),
                dtypes=frozenset(piece.get_dtype() for piece in slices.values()),
                parts=parts,
            )
    except SafetensorError as error:
        raise InvalidModel(
            f"{path.name} is cut short or no safetensors file ({error}): copy or download it again."
        ) from error
