"""What is known of a model, and the view of all models that the registry's reads are served from."""

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import Any, Literal, Self

from packaging.version import InvalidVersion, Version
from pydantic import AwareDatetime, Field, ValidationInfo, field_validator, model_validator

from ..errors import InvalidRequest, ModelNotFound, VersionNotFound
from ..schema import JSON, Frozen, now
from .cards import HUB_ID_PATTERN, NAME_PATTERN, VERSION_PATTERN
from .endpoint import Endpoint
from .search import Entry, Index, entry

SORTS = (
    "name",
    "version",
    "model_type",
    "framework",
    "source",
    "file_size",
    "memory",
    "memory_estimate",
    "created_at",
    "updated_at",
)


class ModelRecord(Frozen):
    """One version of a model; sizes and memory in bytes."""

    id: str = Field(default="", description="`name@version`; filled in.")
    name: str = Field(pattern=NAME_PATTERN)
    version: str = Field(default="1.0.0", pattern=VERSION_PATTERN)
    description: str = ""
    model_type: str = ""
    framework: str = "transformers"
    file_path: str | None = Field(default=None, description="The folder of a local model.")
    file_size: int = Field(default=0, ge=0)
    sha256: str | None = None
    source: Literal["local", "hub", "endpoint"] = "local"
    hub_id: str | None = Field(default=None, pattern=HUB_ID_PATTERN)
    revision: str | None = None
    endpoint: Endpoint | None = Field(default=None, description="Who runs it, where that is another server.")
    license: str | None = None
    tags: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    parameters: JSON = Field(default_factory=dict, description="Default settings of a run.")
    memory_estimate: int = Field(default=0, ge=0)
    memory_used: int | None = Field(default=None, ge=0, description="The peak measured on this machine.")
    note: str = Field(
        default="", max_length=4000, description="What people should know, e.g. what is missing to load it."
    )
    pinned: bool = Field(
        default=False, description="Whether it stays in memory, however long nobody asks it."
    )
    edited: tuple[str, ...] = Field(
        default=(), description="Fields that people have set here; what the card says of them is passed over."
    )
    created_at: AwareDatetime = Field(default_factory=now)
    updated_at: AwareDatetime = Field(default_factory=now)

    def __hash__(self) -> int:
        return hash((self.id, self.updated_at))

    @field_validator("name", "version", mode="before")
    @classmethod
    def _named(cls, value: object, info: ValidationInfo) -> object:
        """Refuse characters in words: the pattern itself, which clients are told of, is for programs."""
        pattern, more = (NAME_PATTERN, "") if info.field_name == "name" else (VERSION_PATTERN, ", +")
        if isinstance(value, str) and not re.match(pattern, value):
            most = 96 if info.field_name == "name" else 64
            raise ValueError(f"1 to {most} letters, digits, ., _, -{more}; a letter or digit first")
        return value

    @model_validator(mode="after")
    def _identify(self) -> Self:
        own = f"{self.name}@{self.version}"
        if self.id not in ("", own):
            raise ValueError(f"id: must be {own!r}, or left out")
        object.__setattr__(self, "id", own)
        return self


class View:
    """All models at one moment; never changes, so it needs no lock."""

    def __init__(self, records: Iterable[ModelRecord] = (), pins: Mapping[str, str] | None = None) -> None:
        """`pins` gives the version that a bare name means, where that is not always the newest."""
        families: dict[str, list[ModelRecord]] = {}
        for record in records:
            families.setdefault(record.name, []).append(record)
        for family in families.values():
            if len(family) > 1:
                family.sort(key=_age, reverse=True)
        self.families = families
        self.records = [record for name in sorted(families, key=_folded) for record in families[name]]
        self.by_id = {record.id: record for record in self.records}
        self.pins = {
            name: version for name, version in (pins or {}).items() if f"{name}@{version}" in self.by_id
        }

    def get(self, ref: str) -> ModelRecord:
        """The model `name@version`, or the pinned, else the newest version of `name`."""
        name, at, version = ref.partition("@")
        family = self.versions(name)
        wanted = version if at else self.pins.get(name, family[0].version)
        for record in family:
            if record.version == wanted:
                return record
        known = ", ".join(record.version for record in family[:5])
        raise VersionNotFound(f"{name!r} has no version {wanted!r}. Versions there are: {known}.")

    def versions(self, name: str) -> list[ModelRecord]:
        """All versions of a model, newest first."""
        if family := self.families.get(name):
            return family
        similar = get_close_matches(name, self.families, n=3)
        hint = f"Did you mean {' or '.join(similar)}?" if similar else "Look at the list of models."
        raise ModelNotFound(f"There is no model {name[:96]!r}. {hint}")

    def select(
        self, *, task: str | None, tag: str | None, framework: str | None, name: str | None, sort: str
    ) -> list[ModelRecord]:
        """The models that fit, in the order of a field; raises `InvalidRequest` for another order."""
        tests: list[Callable[[ModelRecord], bool]] = []
        if task is not None:
            tests.append(lambda record: task in record.tasks)
        if tag is not None:
            tests.append(lambda record: tag in record.tags)
        if framework is not None:
            tests.append(lambda record: record.framework == framework)
        if name is not None:
            tests.append(lambda record: record.name == name)
        return _sorted([record for record in self.records if all(test(record) for test in tests)], sort)

    def search(
        self, query: str, *, task: str | None, max_memory_bytes: int | None, limit: int
    ) -> list[ModelRecord]:
        """Models that fit the words of `query`, best first."""
        found = [
            position
            for position, record in enumerate(self.records)
            if (task is None or task in record.tasks)
            and (
                max_memory_bytes is None or (record.memory_used or record.memory_estimate) <= max_memory_bytes
            )
        ]
        best = self._index.rank(query, found) if query.strip() else found
        return [self.records[position] for position in best[:limit]]

    @cached_property
    def _index(self) -> Index:
        return Index([_entry(record) for record in self.records])


def _sorted(records: list[ModelRecord], sort: str) -> list[ModelRecord]:
    field = sort.removeprefix("-")
    if field not in SORTS:
        raise InvalidRequest(f"sort: one of {', '.join(SORTS)}; with `-` before it, downwards")
    if field == "name":
        return records[::-1] if sort.startswith("-") else records
    return sorted(records, key=_KEYS.get(field, attrgetter(field)), reverse=sort.startswith("-"))


def _folded(name: str) -> tuple[str, str]:
    return name.casefold(), name


def _age(record: ModelRecord) -> tuple[int, Version, str]:
    """Orders versions from old to new; names that are no version numbers come before all that are."""
    version = _parsed(record.version)
    return (1, version, "") if version else (0, Version("0"), record.version)


# Moments with zones compare slowly.
_KEYS: dict[str, Callable[[ModelRecord], Any]] = {
    "memory": lambda record: record.memory_used or record.memory_estimate,
    "version": _age,
    "created_at": lambda record: record.created_at.timestamp(),
    "updated_at": lambda record: record.updated_at.timestamp(),
}


@lru_cache(maxsize=8192)
def _parsed(version: str) -> Version | None:
    try:
        return Version(version)
    except InvalidVersion:
        return None


def _entry(record: ModelRecord) -> Entry:
    labels = (*record.tags, *record.capabilities, *record.tasks, record.model_type)
    return entry(record.name, labels, f"{record.description} {record.hub_id or ''}")
