"""The operator's folder of cards: everything in it is registered, at the start and when it comes later."""

import threading
from collections.abc import Iterator
from pathlib import Path

from ..errors import InferenceChatError, InvalidModel, StorageFailed
from ..registry.cards import CONFIGS, find_cards
from ..registry.catalog import ModelRecord
from ..registry.registry import Registry
from .described import differs
from .describing import Describer

Stamp = tuple[tuple[str, int, int], ...]


class Shelf:
    """A folder of cards, looked at again and again; only what has changed is read."""

    def __init__(self, folder: Path, registry: Registry, describer: Describer) -> None:
        self._folder = folder
        self._registry = registry
        self._describer = describer
        self._seen: dict[str, Stamp] = {}
        self._wrong: dict[str, str] = {}
        self._guard = threading.Lock()

    @property
    def notices(self) -> tuple[str, ...]:
        """What people should know about cards that could not be registered."""
        return tuple(self._wrong[name] for name in sorted(self._wrong))

    def look(self) -> tuple[str, ...]:
        """Register what is new or has changed since the last look; gives its ids. One that is removed by hand
        stays so until its card changes, or the next start."""
        with self._guard:
            return self._look()

    def _look(self) -> tuple[str, ...]:
        stamps = dict(_stamps(self._folder))
        changed = {name for name, stamp in stamps.items() if self._seen.get(name) != stamp}
        changed |= self._wrong.keys() & stamps.keys()  # its copying may have gone on in a folder below
        for gone in self._seen.keys() - stamps.keys():
            self._wrong.pop(gone, None)
        self._seen = stamps
        if not changed:
            return ()
        found: list[ModelRecord] = []
        for path, card in find_cards(self._folder, changed):
            self._wrong.pop(path.name, None)
            try:
                if isinstance(card, InvalidModel):
                    raise card
                found.append(self._describer.of_card(path, card))
            except InferenceChatError as error:
                self._wrong[path.name] = f"The model card {path.name} was left out: {error.detail}"
        return self._put(found)

    def _put(self, found: list[ModelRecord]) -> tuple[str, ...]:
        known = {record.id: record for record in self._registry.list(limit=1_000_000)[0]}
        new = [record for record in found if differs(record, known.get(record.id))]
        try:
            self._registry.put_all(new)
        except StorageFailed as error:  # what is known already can still be used
            self._wrong[""] = f"The model cards could not be registered: {error.detail}"
        else:
            self._wrong.pop("", None)
        return tuple(record.id for record in new)


def _stamps(folder: Path) -> Iterator[tuple[str, Stamp]]:
    """Each card's or model's name, with what tells that it has changed."""
    try:
        paths = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError:
        return
    for path in paths:
        if path.is_dir() and any((path / name).is_file() for name in CONFIGS):
            yield path.name, _stamp(path)
        elif path.suffix == ".md":
            yield path.name, tuple(_facts([path]))


def _stamp(folder: Path) -> Stamp:
    try:
        return tuple(_facts(sorted(folder.iterdir())))
    except OSError:  # it is being moved; the next look sees more
        return ()


def _facts(paths: list[Path]) -> Iterator[tuple[str, int, int]]:
    for path in paths:
        try:
            found = path.stat()
        except OSError:
            continue
        yield path.name, found.st_mtime_ns, found.st_size
