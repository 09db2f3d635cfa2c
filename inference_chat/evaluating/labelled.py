"""Labelled sets: rows of an input and its right answer, from CSV, JSON lines, or a zip with files.

A zip has pictures (or sounds, clips) in one folder for each label, or a table that names them, as Hugging
Face's ImageFolder and AudioFolder have it: https://huggingface.co/docs/datasets/image_dataset. Tables are
read row by row, so that a long one takes no memory; of more rows than wanted a fair sample is drawn.
"""

import csv
import io
import json
import random
import zipfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final, TextIO

from ..errors import InvalidRequest
from ..tasks import TASKS, Task

FILES: Final = ("file_name", "image", "picture", "audio", "sound", "video", "clip", "file", "path")
ASKED: Final = ("question", "prompt", "text")
LISTS: Final = ("objects", "boxes")  # a picture may have none
TEXTS: Final = ("text", "prompt", "input", "question", "sentence", "source", "document")
TRUTHS: Final = ("label", "answer", "target", "expected", "reference", "output", "transcription")
BOXED: Final = frozenset({Task.OBJECT_DETECTION, Task.ZERO_SHOT_OBJECT_DETECTION})
MASKS: Final = ("mask", "masks", "segmentation", "annotation")
TRUTHS_OF: Final[Mapping[Task, Sequence[str]]] = {
    Task.OBJECT_DETECTION: (*LISTS, "label"),
    Task.ZERO_SHOT_OBJECT_DETECTION: (*LISTS, "label"),
    Task.IMAGE_SEGMENTATION: MASKS,
    Task.AUTOMATIC_SPEECH_RECOGNITION: (*TRUTHS, "transcript", "text", "sentence"),
    Task.IMAGE_TO_TEXT: (*TRUTHS, "caption", "text"),
    Task.SUMMARIZATION: (*TRUTHS, "summary"),
    Task.TRANSLATION: (*TRUTHS, "translation"),
}
TABLES: Final = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")
DELIMITERS: Final = ",;\t|"
MOST_NAMED: Final = 10  # broken rows that are named; others are counted
LARGEST_FILE: Final = 64 << 20  # bytes of one file in a zip, unpacked
MOST_FILES: Final = 200_000  # in a zip
Truth = str | list[dict[str, Any]]
"""What is right: a label, a text, objects as `{"label", "box"}` in pixels, or regions as `{"label", "mask"}`.

A mask is a file in the zip, white where the label is; or, with a `value`, a map in which that number is.
"""


@dataclass(frozen=True)
class Row:
    """One input and its right answer; `number` counts the rows of the set from 1."""

    number: int
    truth: Truth
    text: str | None = None
    file: str | None = None

    @property
    def shown(self) -> str:
        """The input in short, for people."""
        words = self.text or self.file or ""
        return words if len(words) <= 120 else f"{words[:119]}…"


@dataclass
class Rows:
    """The rows that were drawn, how many there were, and which could not be used."""

    kept: list[Row] = field(default_factory=list)
    seen: int = 0
    broken: int = 0
    named: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        """What people should know of the reading."""
        notes = []
        good = self.seen - self.broken
        if good > len(self.kept):
            notes.append(f"Of {good:,} rows {len(self.kept):,} were drawn by lot, the same each time.")
        if self.broken:
            more = f" and {self.broken - len(self.named):,} more" if self.broken > len(self.named) else ""
            what = "1 row was" if self.broken == 1 else f"{self.broken:,} rows were"
            notes.append(f"{what} left out: {'; '.join(self.named)}{more}.")
        return notes


class LabelledSet:
    """A set in a file; safe to read from any thread, one at a time."""

    def __init__(self, path: Path, name: str) -> None:
        """`name` is what its maker called the file: its end says what it is, where the bytes do not."""
        self.name = name
        self._path = path
        self._base = PurePosixPath()  # where the table of a zip lies, and its files beside it
        self._zipped = zipfile.is_zipfile(path)

    def rows(self, task: Task, most: int) -> Rows:
        """At most `most` rows for `task`, a fair sample in their order.

        Raises `InvalidRequest` when it is no set, lacks a column, or has no row that can be used.
        """
        found, lot = Rows(), random.Random(0)
        try:
            with closing(self._raw()) as read:
                for number, raw in enumerate(read, 1):
                    found.seen = number
                    self._take(found, number, raw, task, most, lot)
        except (csv.Error, UnicodeDecodeError, zipfile.BadZipFile, EOFError, NotImplementedError) as error:
            where = f"after row {found.seen:,}" if found.seen else "from its beginning"
            raise InvalidRequest(
                f"{self.name} cannot be read {where}: {_reason(error)}. "
                "Send CSV or JSON lines in UTF-8, or a zip of files."
            ) from None
        if not found.kept:
            why = found.named[0] if found.named else "it is empty"
            raise InvalidRequest(f"{self.name} has no row that can be used: {why}.")
        found.kept.sort(key=lambda row: row.number)
        return found

    def file(self, name: str) -> bytes:
        """A file that a row names; raises `InvalidRequest` when it is not there, or too large."""
        with zipfile.ZipFile(self._path) as archive:
            try:
                info = archive.getinfo(str(self._base / name))
                if info.file_size > LARGEST_FILE:
                    raise InvalidRequest(f"{name} is larger than {LARGEST_FILE >> 20} MiB.")
                return archive.read(info)
            except KeyError:
                raise InvalidRequest(f"there is no file {name!r} in the zip") from None
            except (zipfile.BadZipFile, RuntimeError, EOFError, NotImplementedError) as error:
                raise InvalidRequest(f"{name} cannot be unpacked: {_reason(error)}") from None

    # --- inside ----------------------------------------------------------------------------------

    def _take(self, found: Rows, number: int, raw: Any, task: Task, most: int, lot: random.Random) -> None:
        """Look at a row; of those above `most` only the drawn ones (reservoir sampling, Vitter 1985)."""
        place = len(found.kept) if len(found.kept) < most else lot.randrange(number)
        if place >= most:
            return
        try:
            row = _row(number, raw, task, zipped=self._zipped)
        except ValueError as error:
            found.broken += 1
            if len(found.named) < MOST_NAMED:
                found.named.append(f"row {number:,} {error}")
            return
        found.kept[place : place + 1] = [row]

    def _raw(self) -> Generator[Any, None, None]:
        if not self._zipped:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                named = self.name.lower().endswith(TABLES)
                yield from _table(file, self.name if named else self._path.name)
            return
        with zipfile.ZipFile(self._path) as archive:
            names = [name for name in archive.namelist() if _counts(name)]
            if len(names) > MOST_FILES:
                raise InvalidRequest(f"The zip has {len(names):,} files; {MOST_FILES:,} can be read.")
            tables = [name for name in names if name.lower().endswith(TABLES)]
            if tables:
                chosen = min(tables, key=lambda name: (name.count("/"), "metadata" not in name, name))
                self._base = PurePosixPath(chosen).parent
                with io.TextIOWrapper(archive.open(chosen), "utf-8-sig", newline="") as file:
                    yield from _table(file, chosen)
                return
            for name in sorted(names):
                yield {"file_name": name, "label": PurePosixPath(name).parent.name}


def _counts(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return not name.endswith("/") and not any(part.startswith((".", "__MACOSX")) for part in parts)


def _table(file: TextIO, name: str) -> Generator[Any, None, None]:
    """The rows of a table: dictionaries, or what stands there instead."""
    low = name.lower()
    if low.endswith(".json"):
        try:
            told = json.load(file)
        except ValueError as error:
            raise csv.Error(f"it is no JSON: {error}") from None
        yield from told if isinstance(told, list) else [told]
    elif low.endswith((".jsonl", ".ndjson")):
        for line in file:
            if line.strip():
                try:
                    yield json.loads(line)
                except ValueError:
                    yield None
    else:
        head = file.readline()
        delimiter = max(DELIMITERS, key=head.count)
        columns = next(csv.reader([head], delimiter=delimiter), [])
        yield from csv.DictReader(file, [one.strip() for one in columns], delimiter=delimiter)


def _row(number: int, raw: Any, task: Task, *, zipped: bool) -> Row:
    """A row as it stands; raises `ValueError` that says what is missing."""
    if not isinstance(raw, dict):
        raise ValueError("is no JSON object")
    cells = {str(key).strip().lower(): value for key, value in raw.items() if key is not None}
    needs = TASKS[task]
    file = text = asked = None
    if needs.media:
        if not zipped:
            raise InvalidRequest(f"For {task} send a zip, with the files that the rows name in it.")
        file = str(_cell(cells, FILES, number)[1])
    if needs.text == "required" or (needs.text == "optional" and any(cells.get(one) for one in ASKED)):
        asked, told = _cell(cells, ASKED if needs.media else TEXTS, number)
        text = str(told)
    columns = [name for name in TRUTHS_OF.get(task, TRUTHS) if name != asked]
    truth = _cell(cells, columns, number)[1]
    if task == Task.IMAGE_SEGMENTATION:
        return Row(number, _masks(truth, cells.get("labels")), text, file)
    return Row(number, _objects(truth) if task in BOXED else str(truth).strip(), text, file)


def _cell(cells: Mapping[str, Any], names: Sequence[str], number: int) -> tuple[str, Any]:
    """The first of these columns that has something in it; a table without any of them is refused."""
    present = [name for name in names if name in cells]
    if not present and number == 1:
        listed = ", ".join(f"`{name[:40]}`" for name in list(cells)[:12]) or "no columns"
        raise InvalidRequest(f"The set has {listed}; it needs a column {_either(names)}.")
    for name in present:
        value = cells[name]
        if value not in (None, "", []) or (value == [] and name in LISTS):
            return name, value
    raise ValueError(f"has no {_either(present or names)}")


def _either(names: Sequence[str]) -> str:
    return " or ".join(f"`{name}`" for name in names[:4])


def _objects(told: Any) -> list[dict[str, Any]]:
    """Objects with corner boxes, from our own shape or from Hugging Face's `{"bbox", "categories"}`.

    There a box is left, top, width and height.
    """
    try:
        told = json.loads(told) if isinstance(told, str) else told
        if isinstance(told, dict):
            names = told.get("categories") or told["category"]
            told = [
                {"label": name, "box": {"xmin": x, "ymin": y, "xmax": x + wide, "ymax": y + high}}
                for name, (x, y, wide, high) in zip(names, told["bbox"], strict=True)
            ]
        return [
            {"label": str(one["label"]), "box": {side: float(one["box"][side]) for side in SIDES}}
            for one in told
        ]
    except (ValueError, KeyError, TypeError):
        raise ValueError('has no objects as [{"label", "box": {"xmin", "ymin", "xmax", "ymax"}}]') from None


def _masks(told: Any, names: Any) -> list[dict[str, Any]]:
    """Regions: a mask for each label, or one map with the names of its numbers."""
    try:
        told = json.loads(told) if isinstance(told, str) and told.lstrip().startswith("[") else told
        if isinstance(told, list):
            return [{"label": str(one["label"]), "mask": str(one["mask"])} for one in told]
        names = json.loads(names) if isinstance(names, str) else names
        named = names.items() if isinstance(names, dict) else enumerate(names)
        return [{"label": str(name), "mask": str(told), "value": int(value)} for value, name in named]
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            'has no regions: `mask` as [{"label", "mask": a file}], or as the file of a map with `labels` as '
            '{"1": "cat", …}'
        ) from None


SIDES: Final = ("xmin", "ymin", "xmax", "ymax")


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return str(error).split("\n")[0][:160]
