"""From what somebody says of a model to its record: folders are looked into, claims are checked.

Only JSON files and the headers of weights are read; no weights are loaded, no code of a model runs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from ..errors import InvalidModel, InvalidRequest, UnsafeModel
from ..registry.cards import ModelCard, read_card
from ..registry.catalog import ModelRecord
from ..registry.senses import AUTO
from ..runners import OPTIONS
from ..runners.checkpoint import Checkpoint, inspect
from ..runners.foreign import needs_code
from ..schema import JSON, explain
from .described import of_card, of_checkpoint, parameters_of, tasks_of
from .endpoints import Endpoints, read
from .hub import Hub
from .roots import Roots

MEASURED = ("framework", "file_size", "sha256")
"""What the files themselves tell, whatever is said of them."""
DECIDED = frozenset({"pinned", "edited"})
"""What people decide about a model once it is registered."""
CLOSE = 0.02
"""A size that is said may differ by so much from the true one before it is called wrong."""


@dataclass(frozen=True)
class Described:
    """What a registration would keep, and what is true although something else was said."""

    record: ModelRecord
    warnings: tuple[str, ...] = ()


class Describer:
    """Reads folders, the hub and endpoints, as far as the operator's settings allow."""

    def __init__(self, roots: Roots, endpoints: Endpoints, hub: Hub) -> None:
        self._roots = roots
        self._endpoints = endpoints
        self._hub = hub

    def described(self, body: JSON, *, ask: bool = True) -> Described:
        """The record that a registration means; blocks while files are read and servers are asked.

        `ask=False` asks no other server. Raises `InvalidModel`, `UnsafeModel`, `InvalidRequest`, `Forbidden`.
        """
        if body.get("name") == AUTO.name:
            raise InvalidRequest("name: `auto` stands for a plan over several models; choose another.")
        given = {name: value for name, value in body.items() if value is not None and name not in DECIDED}
        if not given.get("file_path") and given.get("hub_id"):
            given.setdefault("source", "hub")
        told, warnings = self._told(given, ask)
        given.setdefault("tasks", told.get("tasks") or tasks_of(given))
        try:
            record = ModelRecord.model_validate({**told, **given})
        except ValidationError as error:
            raise InvalidRequest(explain(error)) from None
        return Described(sound(record) if told else record, warnings)

    def of_card(self, path: Path, card: ModelCard) -> ModelRecord:
        """The record of a card of the operator's, or of a folder with one."""
        known = of_card(card)
        if path.is_dir():
            known |= of_checkpoint(looked_at(path), only=card.only) | {"file_path": str(path)}
        elif card.endpoint:
            known |= read(card.endpoint, card.tasks)
        elif card.hub_id:
            known |= {"source": "hub"}
        try:
            return sound(ModelRecord.model_validate(known))
        except ValidationError as error:
            raise InvalidModel(explain(error)) from None

    def _told(self, given: JSON, ask: bool) -> tuple[JSON, tuple[str, ...]]:
        """What the model's own place tells, which `given` is made to agree with."""
        if given.get("endpoint"):
            given.setdefault("tasks", tasks_of(given))
            told = self._endpoints.looked_at(given) if ask else self._endpoints.read(given)
            given |= {name: told[name] for name in ("source", "endpoint", "tasks", "memory_estimate")}
            return told, ()
        if given.get("file_path"):
            return self._of_folder(given)
        if given.get("source") == "hub" and ask:
            return self._of_hub(given)
        if given.get("source") != "hub" and not given.get("model_type"):
            raise InvalidModel(
                "There is no such folder on the server: give `file_path`, a folder in Hugging Face layout "
                "or a GGUF file, `hub_id`, or `endpoint`."
            )
        return {}, ()

    def _of_folder(self, given: JSON) -> tuple[JSON, tuple[str, ...]]:
        folder = self._roots.find(str(given["file_path"]))
        self._roots.allowed(folder or Path(str(given["file_path"])))
        if folder is None:
            return self._told({name: value for name, value in given.items() if name != "file_path"}, False)
        given["file_path"] = str(folder)
        card = read_card(folder / "README.md") if (folder / "README.md").is_file() else None
        facts = of_checkpoint(looked_at(folder), only=card.only if card else ())
        warnings = [*_lies(of_card(card), facts, "The card"), *_lies(given, facts, "The registration")]
        _agree(given, facts)
        return {**of_card(card), **facts, "file_path": str(folder)}, tuple(warnings)

    def _of_hub(self, given: JSON) -> tuple[JSON, tuple[str, ...]]:
        offer = self._hub.look(str(given.get("hub_id") or given.get("name")), given.get("revision"))
        if offer is None:
            said = "The hub cannot be reached; the model is looked at when it is fetched."
            return {}, (said,)
        facts = offer.facts()
        warnings = tuple(_lies(given, facts, "The registration"))
        _agree(given, facts)
        given["revision"] = offer.revision
        return facts, warnings


def looked_at(folder: Path) -> Checkpoint:
    """A model's folder, if it can be loaded without code of its own; raises `UnsafeModel`, `InvalidModel`."""
    checkpoint = inspect(folder)
    if needs_code(checkpoint.config):
        raise UnsafeModel(
            f"{checkpoint.name!r} needs code of its own to run, which is never executed here; choose a model "
            "that transformers knows."
        )
    return checkpoint


def sound(record: ModelRecord) -> ModelRecord:
    """The record itself, if its runners know its default parameters; else `InvalidRequest`."""
    for task in OPTIONS:
        if task in record.tasks:
            parameters_of(record, task)
            break  # defaults are those of the first; others take of them what they know
    return record


def _agree(given: JSON, facts: JSON) -> None:
    """Let what was read stand where something else is said."""
    for name in MEASURED:
        given.pop(name, None)
    able = facts["tasks"]
    if said := [task for task in given.get("tasks") or () if task in able]:
        given["tasks"] = said
    else:
        given.pop("tasks", None)
    if not _near(given.get("memory_estimate"), facts["memory_estimate"]):
        given.pop("memory_estimate", None)


def _lies(said: JSON, facts: JSON, who: str) -> Iterator[str]:
    able = facts["tasks"]
    if wrong := [task for task in said.get("tasks") or () if task not in able]:
        yield f"{who} says that it does {', '.join(wrong)}; its architecture does {', '.join(able)}."
    for name, what in (("file_size", "weights"), ("memory_estimate", "memory")):
        if not _near(said.get(name), facts[name]):
            yield f"{who} says {said[name]:,} bytes of {what}; they are {facts[name]:,}."
    if said.get("sha256") and facts.get("sha256") and said["sha256"] != facts["sha256"]:
        yield f"{who} has another digest than the files; that of the files is kept."


def _near(said: object, true: int) -> bool:
    return not isinstance(said, int) or not said or abs(said - true) <= CLOSE * max(true, 1)
