"""What a GGUF file says of itself, read in plain Python: its settings, and which tensors it holds.

The format is little-endian: a magic number, a version, counts, then settings and tensors one after the other.
Long lists, as of all tokens, are passed over.
"""

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ...errors import InvalidModel

MAGIC = b"GGUF"
VERSIONS = (2, 3)
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
TEXT, LIST = 8, 9
SHORT = 64
"""Lists of more values are passed over."""
LONGEST = 1 << 24
MOST = 1 << 20
FORMATS = {0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 10: "Q2_K", 11: "Q3_K"}
FORMATS |= {12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 30: "BF16"}


@dataclass(frozen=True)
class Header:
    """The settings by name, how many numbers the tensors have, and the format of most of them."""

    settings: dict[str, Any]
    elements: int
    format: str


class _Reader:
    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size

    def bytes(self, count: int) -> bytes:
        if count > LONGEST:
            raise ValueError("a text without end")
        if len(found := self._file.read(count)) < count:
            raise ValueError("it is cut short")
        return found

    def number(self, format: str) -> Any:
        return struct.unpack(f"<{format}", self.bytes(struct.calcsize(f"<{format}")))[0]

    def count(self, most: int = MOST) -> int:
        if (found := int(self.number("Q"))) > most:
            raise ValueError("a number without sense")
        return found

    def text(self) -> str:
        return self.bytes(self.count(LONGEST)).decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        """A setting; None for a long list."""
        if kind == TEXT:
            return self.text()
        if kind != LIST:
            return self.number(_number(kind))
        each, count = int(self.number("I")), self.count(LONGEST)
        if count <= SHORT:
            return [self.value(each) for _ in range(count)]
        if each in NUMBERS:
            self._file.seek(count * struct.calcsize(f"<{NUMBERS[each]}"), 1)
        else:
            for _ in range(count):
                self.value(each)
        return None


def _number(kind: int) -> str:
    if kind not in NUMBERS:
        raise ValueError(f"a value of the unknown kind {kind}")
    return NUMBERS[kind]


def read_header(path: Path) -> Header:
    """Raises `InvalidModel` for what is no such file, or only the beginning of one."""
    try:
        with path.open("rb") as file:
            return _read(_Reader(file, path.stat().st_size))
    except (ValueError, struct.error, RecursionError) as error:
        raise InvalidModel(f"{path.name} is no GGUF file that can be read: {error}.") from error


def _read(file: _Reader) -> Header:
    if file.bytes(4) != MAGIC:
        raise ValueError("it does not begin as one")
    if (version := file.number("I")) not in VERSIONS:
        raise ValueError(f"it is of version {version}; 2 and 3 are known")
    tensors, settings = file.count(), file.count()
    found = {file.text(): file.value(int(file.number("I"))) for _ in range(settings)}
    elements: dict[int, int] = {}
    last = 0
    for _ in range(tensors):
        file.text()
        shape = [file.count(1 << 40) for _ in range(int(file.number("I")))]
        kind = int(file.number("I"))
        elements[kind] = elements.get(kind, 0) + math.prod(shape)
        last = max(last, int(file.number("Q")))
    if last >= file._size:
        raise ValueError("it is cut short")
    if not elements:
        raise ValueError("it holds no tensors")
    most = max(elements, key=lambda kind: elements[kind])
    return Header(found, sum(elements.values()), FORMATS.get(most, f"type {most}"))


def config_of(header: Header) -> dict[str, Any]:
    """The settings under the names that a config.json has for them."""
    told = header.settings
    kind = str(told.get("general.architecture", ""))
    heads = _most(told.get(f"{kind}.attention.head_count"))
    width = _most(told.get(f"{kind}.embedding_length"))
    return {
        "architectures": ["GGUF"],
        "model_type": kind,
        "format": header.format,
        "max_position_embeddings": _most(told.get(f"{kind}.context_length")),
        "num_hidden_layers": _most(told.get(f"{kind}.block_count")),
        "num_attention_heads": heads,
        "num_key_value_heads": _most(told.get(f"{kind}.attention.head_count_kv")) or heads,
        "head_dim": _most(told.get(f"{kind}.attention.key_length")) or (width // heads if heads else 0),
        "hidden_size": width,
    }


def _most(value: Any) -> int:
    """A number, or the largest of a list with one for each layer; 0 where there is none."""
    values = value if isinstance(value, list) else [value]
    return max((one for one in values if type(one) is int), default=0)
