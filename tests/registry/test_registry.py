import errno
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

from inference_chat.errors import (
    InvalidRequest,
    ModelExists,
    ModelNotFound,
    StorageFailed,
    VersionNotFound,
)
from inference_chat.registry import registry as module
from inference_chat.registry.registry import AtomicStorage, Data, ModelRecord, Registry

ROOT = Path(__file__).parents[2]


class FullDisk(AtomicStorage):
    """A disk that has no room for one more write."""

    def write(self, data: Data) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "registry.json"


@pytest.fixture
def registry(path: Path) -> Registry:
    return Registry(path)


def record(name: str = "m", version: str = "1.0.0", **fields) -> ModelRecord:
    return ModelRecord(name=name, version=version, **fields)


def test_what_is_added_is_there_after_a_restart(registry: Registry, path: Path):
    added = registry.add(record(tags=("a", "b"), parameters={"top_p": 0.9}, description="שלום 👋"))
    assert Registry(path).get("m@1.0.0") == registry.get("m") == added


def test_a_version_is_added_once(registry: Registry):
    registry.add(record())
    with pytest.raises(ModelExists, match=r"m@1\.0\.0"):
        registry.add(record())


def test_a_bare_name_means_the_newest_version(registry: Registry):
    registry.put_all(record(version=version) for version in ("1.9.0", "1.10.0", "nightly", "2.0.0rc1"))
    assert [found.version for found in registry.versions("m")] == ["2.0.0rc1", "1.10.0", "1.9.0", "nightly"]
    assert registry.get("m").version == "2.0.0rc1"


def test_a_pinned_version_is_what_the_bare_name_means(registry: Registry, path: Path):
    registry.put_all([record(version="1"), record(version="2")])
    registry.pin("m@1")
    assert (Registry(path).get("m").version, registry.pinned("m")) == ("1", "1")
    registry.unpin("m")
    assert registry.get("m").version == "2"


def test_a_pin_goes_with_its_version(registry: Registry):
    registry.put_all([record(version="1"), record(version="2")])
    registry.pin("m@1")
    registry.remove("m@1")
    assert registry.get("m").version == "2"


def test_unknown_names_and_versions_say_what_there_is(registry: Registry):
    registry.add(record("starter-chat"))
    with pytest.raises(ModelNotFound, match="starter-chat"):
        registry.get("startr-chat")
    with pytest.raises(VersionNotFound, match=r"1\.0\.0"):
        registry.get("starter-chat@9")


def test_put_keeps_what_was_measured_and_when_it_came(registry: Registry):
    first = registry.put(record(sha256="a"))
    registry.update(first.id, memory_used=7)
    again = registry.put(record(sha256="a", description="better"))
    assert (again.created_at, again.memory_used, again.description) == (first.created_at, 7, "better")
    assert registry.put(record(sha256="b")).memory_used is None


def test_put_of_the_same_writes_nothing(registry: Registry, path: Path):
    registry.put(record())
    before = path.stat().st_mtime_ns, path.stat().st_ino
    registry.put_all([record()])
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


def test_update_changes_fields_and_their_time(registry: Registry):
    known = registry.add(record())
    changed = registry.update("m", description="new", tags=("x",))
    assert (changed.description, changed.tags, changed.created_at) == ("new", ("x",), known.created_at)
    assert changed.updated_at > known.updated_at


@pytest.mark.parametrize("fields", [{"name": "x"}, {"nonsense": 1}, {"file_size": -1}])
def test_update_refuses_what_cannot_be(registry: Registry, fields):
    known = registry.add(record())
    with pytest.raises(InvalidRequest, match=next(iter(fields))):
        registry.update("m", **fields)
    assert registry.get("m") == known


def test_removed_models_are_gone(registry: Registry, path: Path):
    registry.add(record())
    registry.remove("m@1.0.0")
    with pytest.raises(ModelNotFound):
        Registry(path).get("m")


def test_lists_are_filtered_sorted_and_paged(registry: Registry):
    for size, name in enumerate(("b", "a", "C", "d")):
        task = "translation" if name == "d" else "text-generation"
        registry.add(record(name, file_size=size, tasks=(task,), tags=(name,)))
    assert [found.name for found in registry.list()[0]] == ["a", "b", "C", "d"]
    page, total = registry.list(task="text-generation", sort="-file_size", limit=2, offset=1)
    assert ([found.name for found in page], total) == (["a", "b"], 3)
    assert registry.list(tag="d", framework="transformers", name="d")[1] == 1
    registry.update("C@1.0.0", memory_used=5)
    assert [found.name for found in registry.list(sort="-memory", limit=1)[0]] == [
        "C"
    ]  # measured, not estimated
    with pytest.raises(InvalidRequest, match="created_at"):
        registry.list(sort="nonsense")


def test_search_looks_everywhere_and_bounds_memory(registry: Registry):
    registry.add(record("story-writer", description="tells tales", tasks=("text-generation",)))
    registry.add(record("eye", capabilities=("ImageClassification",), memory_estimate=10))
    registry.add(record("big-eye", tags=("vision",), memory_estimate=10**9))

    def names(q: str, **wanted) -> list[str]:
        return [found.name for found in registry.search(q, **wanted)]

    assert names("tales") == names("generation") == names("stroy") == ["story-writer"]
    assert names("eye") == ["eye", "big-eye"]
    assert names("EYE", max_memory_bytes=100) == ["eye"]
    assert names("", task="text-generation") == ["story-writer"]
    assert names("zzzz") == names("--") == names("zzzz-writer") == []
    assert names("stroy-writer") == names("story-wirter") == ["story-writer"]


# --- damage -------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"models": 3}', b"\xff\xfe", b"null"])
def test_a_damaged_file_is_kept_aside_and_its_backup_used(registry: Registry, path: Path, damage: bytes):
    registry.put_all([record("a"), record("b")])
    registry.add(record("c"))
    path.write_bytes(damage)
    reopened = Registry(path)
    assert [found.name for found in reopened.list()[0]] == ["a", "b"]
    [kept] = path.parent.glob("registry.json.corrupt-*")
    assert kept.read_bytes() == damage
    assert kept.name in reopened.notices[0]
    assert Registry(path).notices == ()


def test_damage_without_a_backup_starts_empty_and_says_so(path: Path):
    path.parent.mkdir()
    path.write_bytes(b"{")
    registry = Registry(path)
    assert (registry.list(), len(registry.notices)) == (([], 0), 1)
    registry.add(record())
    assert Registry(path).get("m").name == "m"


def test_damage_while_running_loses_nothing(registry: Registry, path: Path):
    registry.add(record("a"))
    registry.add(record("b"))
    path.write_bytes(b"{")
    assert registry.list()[1] == 2
    registry.add(record("c"))
    assert [found.name for found in Registry(path).list()[0]] == ["a", "b", "c"]


def test_a_file_deleted_while_running_is_written_again(registry: Registry, path: Path):
    registry.add(record("a"))
    path.unlink()
    registry.add(record("b"))
    assert Registry(path).list()[1] == 2


def test_an_entry_that_cannot_be_read_is_kept_and_told(registry: Registry, path: Path):
    registry.add(record())
    data = json.loads(path.read_text())
    data["models"]["odd@1"] = {"name": "odd", "from_the_future": True}
    path.write_text(json.dumps(data))
    assert registry.get("m").name == "m"
    assert "odd@1" in registry.notices[0]
    registry.add(record("other"))
    assert json.loads(path.read_text())["models"]["odd@1"] == data["models"]["odd@1"]


def test_a_full_disk_changes_nothing(path: Path):
    Registry(path).add(record())
    registry = Registry(path, storage=FullDisk)
    for change in (
        lambda: registry.add(record("x")),
        lambda: registry.update("m", note="x"),
        lambda: registry.remove("m"),
    ):
        with pytest.raises(StorageFailed, match="Free some space"):
            change()
    assert registry.list() == Registry(path).list()
    assert registry.list()[1] == 1


def test_a_lock_that_is_held_ends_the_wait(registry: Registry, path: Path, monkeypatch):
    registry.add(record())
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.05)
    waiting = Registry(path)
    with FileLock(path.with_name("registry.json.lock")):
        with pytest.raises(StorageFailed, match="Another program"):
            waiting.add(record("x"))
        assert waiting.get("m").name == "m"


# --- others on the same file --------------------------------------------------------------------


def test_another_process_sees_and_adds(registry: Registry, path: Path):
    registry.add(record("mine"))
    code = f"""
from pathlib import Path
from inference_chat.registry.registry import ModelRecord, Registry
registry = Registry(Path({str(path)!r}))
registry.get("mine")
registry.add(ModelRecord(name="theirs"))
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert registry.get("theirs").version == "1.0.0"
    registry.add(record("third"))
    assert Registry(path).list()[1] == 3


def test_many_threads_and_two_registries_lose_nothing(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "LOCK_SECONDS", 60)  # a slow disk keeps one waiting
    both = Registry(path), Registry(path)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: both[number % 2].add(record(f"m{number}")), range(40)))
    assert both[0].list()[1] == both[1].list()[1] == Registry(path).list()[1] == 40
