"""Model cards: Hugging Face's Markdown files with a block of metadata, read into `ModelCard`.

Beyond the hub's own fields a card may hold a block named `inference_chat` with any of `name`,
`version`, `description`, `tasks`, `capabilities`, `parameters`, `hub_id`, `revision`
and `endpoint`.
"""

import re
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from ..errors import InvalidModel
from ..schema import JSON, Frozen, explain
from .endpoint import Endpoint

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$"
VERSION_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$"
HUB_ID_PATTERN = r"^[\w.-]+(/[\w.-]+)?$"
CONFIGS = ("config.json", "model_index.json")
OWN = frozenset(
    {"name", "version", "description", "tasks", "capabilities", "parameters", "hub_id", "revision"}
    | {"endpoint"}
)


class ModelCard(Frozen):
    """What a card says of a model; `text` is the Markdown below the metadata."""

    name: str = Field(pattern=NAME_PATTERN)
    version: str = Field(default="1.0.0", pattern=VERSION_PATTERN)
    description: str = ""
    license: str | None = None
    tags: tuple[str, ...] = ()
    tasks: tuple[str, ...] = Field(default=(), description="Hugging Face task names.")
    only: tuple[str, ...] = Field(
        default=(), description="Those that its `inference_chat` block keeps it to."
    )
    capabilities: tuple[str, ...] = Field(default=(), description="The words people read.")
    parameters: JSON = Field(default_factory=dict, description="Default settings of a run.")
    text: str = ""
    hub_id: str | None = Field(default=None, pattern=HUB_ID_PATTERN)
    revision: str | None = None
    endpoint: Endpoint | None = None


def read_card(path: Path) -> ModelCard:
    """Read the README.md of a model's folder, or a card that is a file of its own.

    Raises `InvalidModel` that names the line or the field that cannot be used.
    """
    # Imported here, as the hub's card module costs 0.15 s and the page does not wait for cards.
    from huggingface_hub import ModelCard as HubCard
    from yaml import YAMLError

    try:
        card = HubCard(path.read_text("utf-8-sig"), ignore_metadata_errors=True)
    except OSError:
        raise InvalidModel(f"The card {_shown(path)} cannot be read; allow reading the file.") from None
    except UnicodeDecodeError:
        raise InvalidModel(f"The card {_shown(path)} is not UTF-8 text; save it as UTF-8.") from None
    except YAMLError as error:
        raise InvalidModel(_yaml_sentence(path, error)) from None
    except (ValueError, TypeError) as error:
        raise InvalidModel(f"The card {_shown(path)}: its metadata cannot be used: {error}") from None
    try:
        return ModelCard.model_validate(_fields(path, vars(card.data), card.text.strip()))
    except ValidationError as error:
        raise InvalidModel(f"The card {_shown(path)}: {explain(error)}") from None


def find_cards(
    folder: Path, names: Container[str] | None = None
) -> Iterator[tuple[Path, ModelCard | InvalidModel]]:
    """The cards in a folder: one per sub-folder that holds a model, and every other `.md` file.

    With `names`, only those of sub-folders and files that are called so.

    Gives the sub-folder or the file with its card, or with what is wrong with it. A model that comes
    without a card goes by the name of its folder.
    """
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if names is not None and path.name not in names:
            continue
        if path.is_dir() and any((path / name).is_file() for name in CONFIGS):
            card = path / "README.md"
        elif path.is_file() and path.suffix == ".md" and path.name.lower() != "readme.md":
            card = path
        else:
            continue
        yield path, _card_or_error(card) if card.is_file() else _bare(path)


def capability(task: str) -> str:
    """The word people read for a task: `text-generation` → `TextGeneration`."""
    return "".join(word[:1].upper() + word[1:] for word in task.split("-"))


def _bare(folder: Path) -> ModelCard | InvalidModel:
    try:
        return ModelCard(name=folder.name)
    except ValidationError:
        return InvalidModel(
            f"The folder name {folder.name!r} cannot be a model's name; add a README.md with one."
        )


def _card_or_error(path: Path) -> ModelCard | InvalidModel:
    try:
        return read_card(path)
    except InvalidModel as error:
        return error


def _fields(path: Path, data: JSON, text: str) -> JSON:
    own = data.get("inference_chat") or {}
    if not isinstance(own, dict) or (unknown := sorted(own.keys() - OWN, key=str)):
        wrong = f"inference_chat.{unknown[0]}" if isinstance(own, dict) else "inference_chat"
        raise InvalidModel(f"The card {_shown(path)}: {wrong} is not one of {', '.join(sorted(OWN))}")
    tags = _listed(data.get("tags"))
    tasks = _listed(own.get("tasks", data.get("pipeline_tag")))
    derived = {
        "name": data.get("model_name") or _name(path),
        "description": _first_paragraph(text),
        "capabilities": _capabilities(tasks, tags),
    }
    stated = {"license": data.get("license"), "tags": tags, "tasks": tasks, "text": text}
    stated |= {"only": _listed(own.get("tasks"))}
    version = {"version": str(own["version"])} if "version" in own else {}
    return derived | own | stated | version


def _capabilities(tasks: Any, tags: Any) -> list[str]:
    chat = ["Chat"] if "conversational" in tags else []
    return [capability(task) for task in tasks if isinstance(task, str)] + chat


def _listed(value: Any) -> Any:
    """YAML that holds one item instead of a list of one."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else value


def _name(path: Path) -> str:
    stem = path.resolve().parent.name if path.name.lower() == "readme.md" else path.stem
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).lstrip("._-")[:96]


def _first_paragraph(text: str) -> str:
    prose = (
        block
        for block in re.split(r"\n\s*\n", text)
        if not block.lstrip().startswith(("#", "|", "<", "```", "!"))
    )
    return " ".join(next(prose, "").split())[:500]


def _shown(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _yaml_sentence(path: Path, error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    # The block starts below the `---` in line 1, and marks count from 0.
    line = f" in line {mark.line + 2}" if mark else ""
    problem = getattr(error, "problem", None) or "it is not YAML"
    return f"The card {_shown(path)} has broken YAML{line}: {problem}"
