"""Where models may lie: below the folders that the operator allows, wherever links lead."""

from collections.abc import Iterator
from pathlib import Path

from ..errors import Forbidden, InvalidModel
from ..settings import Settings
from .described import existing


class Roots:
    """The folders that the settings allow; everywhere, where they name none and only this machine asks."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def find(self, path: str) -> Path | None:
        """What is at a path of the server, or at the end of such a path below an allowed folder.

        So an exported `models/mine` is found by a server that is started elsewhere. None where nothing is.
        """
        found = existing(path)
        if found or not path or Path(path).is_absolute():
            return found
        named = (self._settings.model_cards_dir, *(self._settings.roots or ()))
        inner = (
            place for root in named for place in (root.parent / path, root / path, root / Path(path).name)
        )
        return next((place for place in inner if ".." not in place.parts and existing(str(place))), None)

    def allowed(self, folder: Path) -> Path:
        """The folder itself, if it and all files in it lie in the allowed folders, with links followed.

        Raises `Forbidden` that names the file; whether a forbidden folder exists is not told.
        """
        if (roots := self._roots()) is None or self._of_operator(folder):
            return folder
        if not _within(folder, roots):
            raise Forbidden(
                "The folder lies outside of those that models may come from. "
                "Put it into one of them, or let the operator name its place in MODEL_ROOTS."
            )
        for path in _links(folder):
            if not _within(path, roots):
                raise Forbidden(
                    f"{path.name[:80]!r} is a link that leads outside of the folders that models may come "
                    "from; put the file itself there."
                )
        return folder

    def _of_operator(self, folder: Path) -> bool:
        """Whether it lies in the folder of cards, whose links are the operator's own."""
        return ".." not in folder.parts and folder.absolute().is_relative_to(
            self._settings.model_cards_dir.absolute()
        )

    def _roots(self) -> list[Path] | None:
        if (named := self._settings.roots) is None:
            return None
        own = (self._settings.model_cards_dir, self._settings.model_cache_dir)
        return [path.expanduser().resolve() for path in (*named, *own) if path is not None]


def _within(path: Path, roots: list[Path]) -> bool:
    try:
        real = path.expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a link to itself, a name that is none
        raise InvalidModel(f"{path.name[:80]!r} leads nowhere; give a folder that is there.") from error
    return any(real.is_relative_to(root) for root in roots)


def _links(folder: Path) -> Iterator[Path]:
    """The links in a folder and in those directly in it, which is as deep as models are."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_symlink():
            yield path
        elif path.is_dir():
            yield from (inner for inner in path.iterdir() if inner.is_symlink())
