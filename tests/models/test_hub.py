"""Models of a hub, a small real one: searched, looked at, fetched, stopped and resumed."""

import shutil
import threading
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from inference_chat.errors import Conflict, HubUnavailable, InvalidModel, StorageFailed, UnsafeModel
from inference_chat.models.downloads import Downloads
from inference_chat.models.hub import Hub
from inference_chat.models.repository import File, chosen
from inference_chat.registry.catalog import ModelRecord
from inference_chat.runners.checkpoint import Checkpoint, inspect
from tests import tiny
from tests.hub import COMMIT, Repository, serving_hub
from tests.hub import Hub as Remote

RECORD = ModelRecord(name="llama", source="hub", hub_id="tests/llama", revision=COMMIT)


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose weights take several pieces to send."""
    return tiny.card(tiny.build(tmp_path_factory.mktemp("large") / "llama", layers=12))


@pytest.fixture
def remote(large: Path) -> Iterator[Remote]:
    with serving_hub(llama=large) as remote:
        yield remote


@pytest.fixture
def hub(tmp_path: Path, remote: Remote) -> Hub:
    return Hub(tmp_path / "cache", remote.url)


class Arrivals(list[tuple[ModelRecord, Checkpoint, str]]):
    def __call__(self, record: ModelRecord, checkpoint: Checkpoint, revision: str) -> None:
        self.append((record, checkpoint, revision))


@pytest.fixture
def arrivals() -> Arrivals:
    return Arrivals()


@pytest.fixture
def downloads(hub: Hub, arrivals: Arrivals) -> Iterator[Downloads]:
    made = Downloads(hub, arrivals)
    yield made
    made.close()


def until(test: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_search_tells_size_licence_and_downloads(hub: Hub, remote: Remote):
    (found,) = hub.search("LLAMA")
    assert (found["hub_id"], found["license"], found["downloads"]) == ("tests/llama", "apache-2.0", 1000)
    assert (found["size"], found["parameters"], found["task"]) == (200_000, 50_000, "text-generation")
    assert hub.search("nothing of the kind") == []


def test_a_look_reads_what_memory_it_will_take_and_fetches_no_weights(hub: Hub, remote: Remote, large: Path):
    remote.models["tests/llama"].counted = False
    offer = hub.look("tests/llama")
    assert offer is not None
    here = inspect(large)
    assert (offer.revision, offer.tensors) == (COMMIT, here.tensors)
    assert offer.facts()["file_size"] == here.file_size
    assert offer.facts()["tasks"] == ("text-generation",)
    assert remote.sent < here.file_size / 2


def test_what_is_not_there_or_no_model_is_told(tmp_path: Path, hub: Hub, remote: Remote):
    with pytest.raises(InvalidModel, match="spelling"):
        hub.look("tests/lama")
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "config.json").write_text("{}")
    (pickled / "pytorch_model.bin").write_bytes(b"x")
    remote.models["tests/pickled"] = Repository(pickled)
    with pytest.raises(UnsafeModel, match="run code"):
        hub.look("tests/pickled")


def test_a_model_that_brings_code_is_refused(tmp_path: Path, large: Path, hub: Hub, remote: Remote):
    folder = shutil.copytree(large, tmp_path / "coded")
    config = '{"architectures": ["OwnForCausalLM"], "model_type": "own", "auto_map": {"AutoModel": "m.Own"}}'
    (folder / "config.json").write_text(config)
    remote.models["tests/coded"] = Repository(folder)
    offer = hub.look("tests/coded")
    assert offer is not None
    with pytest.raises(UnsafeModel, match="never executed"):
        offer.facts()


def test_a_hub_that_is_away_or_off_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    away = Hub(tmp_path, "http://127.0.0.1:9")
    assert away.look("tests/llama") is None
    with pytest.raises(HubUnavailable, match="on this machine works"):
        away.search("llama")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubUnavailable, match="HF_HUB_OFFLINE"):
        away.search("llama")


def test_a_download_ends_with_a_model_that_loads(
    downloads: Downloads, hub: Hub, arrivals: Arrivals, large: Path
):
    assert downloads.of(RECORD)["state"] == "none"
    checkpoint = downloads.fetch(RECORD)
    assert checkpoint.digest == inspect(large).digest
    assert [(record, revision) for record, _, revision in arrivals] == [(RECORD, COMMIT)]
    shown = downloads.of(RECORD)
    assert (shown["state"], shown["done"], shown["files_done"]) == ("done", shown["total"], shown["files"])
    assert Downloads(hub, arrivals).of(RECORD)["state"] == "done"


def test_a_stopped_download_goes_on_where_it_stopped(
    downloads: Downloads, hub: Hub, remote: Remote, arrivals: Arrivals, large: Path
):
    size = inspect(large).file_size
    remote.pause = 0.02
    downloads.start(RECORD)
    until(lambda: downloads.of(RECORD)["done"] > size // 3)
    told = downloads.of(RECORD)
    assert told["bytes_per_second"] > 0
    assert 0 < told["done"] < told["total"]
    assert downloads.stop(RECORD)["state"] == "stopped"
    until(lambda: not any(thread.name == "download" for thread in threading.enumerate()))
    later = Downloads(hub, arrivals)  # another process
    kept = later.of(RECORD)
    assert (kept["state"], kept["done"] > size // 4) == ("stopped", True)
    remote.pause, remote.sent = 0.0, 0
    later.start(RECORD)
    until(lambda: later.of(RECORD)["state"] == "done")
    assert remote.sent < size * 3 // 4
    assert any("bytes=" in asked and "model.safetensors" in asked for asked in remote.asked)
    assert len(arrivals) == 1


def test_a_connection_that_breaks_is_made_anew(downloads: Downloads, remote: Remote, large: Path):
    remote.break_after = inspect(large).file_size // 2
    assert downloads.fetch(RECORD).digest == inspect(large).digest
    assert remote.sent < inspect(large).file_size * 1.2


def test_what_arrives_damaged_never_counts(downloads: Downloads, remote: Remote):
    remote.models["tests/llama"].spoil = "model.safetensors"
    with pytest.raises(InvalidModel, match="damaged"):
        downloads.fetch(RECORD)
    assert downloads.of(RECORD)["state"] == "failed"
    remote.models["tests/llama"].spoil = ""
    assert downloads.fetch(RECORD).name == "tests/llama"


def test_a_disk_without_room_is_told_before_anything_is_fetched(
    downloads: Downloads, remote: Remote, monkeypatch: pytest.MonkeyPatch
):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 9, 1))
    with pytest.raises(StorageFailed, match="GiB free"):
        downloads.start(RECORD)
    assert remote.sent == 0


def test_what_was_fetched_in_part_can_be_discarded(downloads: Downloads, hub: Hub, remote: Remote):
    remote.pause = 0.02
    downloads.start(RECORD)
    until(lambda: downloads.of(RECORD)["done"] > 1 << 18)
    assert downloads.stop(RECORD, discard=True)["state"] == "none"
    assert not list(hub.folder.rglob("*.part"))


def test_a_folder_is_nothing_to_download(downloads: Downloads):
    with pytest.raises(Conflict, match="not of the hub"):
        downloads.start(ModelRecord(name="mine"))


def test_a_model_that_is_here_needs_no_hub(hub: Hub, downloads: Downloads, arrivals: Arrivals):
    downloads.fetch(RECORD)
    away = Hub(hub.cache, "http://127.0.0.1:9")
    assert Downloads(away, arrivals).fetch(RECORD).architecture == "LlamaForCausalLM"
    with pytest.raises(HubUnavailable, match="cannot be reached"):
        Downloads(away, arrivals).fetch(ModelRecord(name="other", source="hub", hub_id="tests/other"))


def listed(*paths: str, size: int = 5) -> list[File]:
    return [File(path, size, "b" * 40) for path in paths]


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        (
            [
                "config.json",
                "model.safetensors",
                "model.fp16.safetensors",
                "model-00001-of-00002.safetensors",
            ],
            {"config.json", "model.safetensors"},
        ),
        (
            ["config.json", "a-00001-of-00002.safetensors", "a-00002-of-00002.safetensors", "onnx/m.onnx"],
            {"config.json", "a-00001-of-00002.safetensors", "a-00002-of-00002.safetensors"},
        ),
        (
            [
                "model_index.json",
                "unet/config.json",
                "unet/m.safetensors",
                "vae/x.fp16.safetensors",
                "all.bin",
            ],
            {"model_index.json", "unet/config.json", "unet/m.safetensors", "vae/x.fp16.safetensors"},
        ),
    ],
)
def test_one_set_of_weights_is_chosen(there: list[str], wanted: set[str]):
    assert {file.path for file in chosen("a/b", listed(*there))} == wanted


@pytest.mark.parametrize("path", ["../out.json", "/etc/x.json", "a/../../x.json", "a\\b.json"])
def test_a_file_that_would_lie_elsewhere_is_refused(path: str):
    with pytest.raises(UnsafeModel, match="cannot be kept"):
        chosen("a/b", listed("config.json", "model.safetensors", path))
