"""GGUF files are looked at without llama.cpp; what answers they give is in `test_gguf_answers.py`."""

import struct
import sys
from pathlib import Path

import pytest

from inference_chat.errors import InvalidModel
from inference_chat.runners import family_of
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.gguf.runner import GgufRunner
from inference_chat.tasks import Task
from tests import tiny
from tests.fakes import ANNE, running
from tests.tiny_gguf import convert


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.build(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def file(folder: Path) -> Path:
    return convert(folder, folder.parent / "small.gguf")


def test_a_file_tells_what_it_holds(file: Path, folder: Path):
    found = inspect(file)
    assert (found.name, found.framework, found.window) == ("small", "llama.cpp", 256)
    assert found.cached_elements == inspect(folder).cached_elements
    assert found.tensors.elements == inspect(folder).tensors.elements
    assert found.tensors.dtypes == {"F32"}
    assert family_of(found).tasks == (Task.TEXT_GENERATION,)
    assert file.stat().st_size < GgufRunner.estimate(found, 4) < 4 * file.stat().st_size


def test_a_folder_with_one_file_is_that_model(file: Path, tmp_path: Path):
    (tmp_path / "one.gguf").write_bytes(file.read_bytes())
    assert inspect(tmp_path).files == (tmp_path / "one.gguf",)
    assert inspect(tmp_path).digest == inspect(tmp_path / "one.gguf").digest
    (tmp_path / "two.gguf").write_bytes(file.read_bytes())
    with pytest.raises(InvalidModel, match="several GGUF files"):
        inspect(tmp_path)


def test_a_model_in_numbered_files_is_one(file: Path, tmp_path: Path):
    for number in (1, 2):
        (tmp_path / f"large-0000{number}-of-00002.gguf").write_bytes(file.read_bytes())
    found = inspect(tmp_path)
    assert [path.name[:11] for path in found.files] == ["large-00001", "large-00002"]
    assert found.tensors.elements == 2 * inspect(file).tensors.elements


def broken(whole: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "other": b"PK\x03\x04" + whole[4:],
        "version": whole[:4] + struct.pack("<I", 9) + whole[8:],
        "head": whole[:200],
        "cut": whole[: len(whole) // 3],
        "endless": whole[:8] + b"\xff" * 16 + whole[24:],
        "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    }


@pytest.mark.parametrize("how", ["empty", "other", "version", "head", "cut", "endless", "pointer"])
def test_broken_files_are_refused(file: Path, tmp_path: Path, how: str):
    wrong = tmp_path / "wrong.gguf"
    wrong.write_bytes(broken(file.read_bytes())[how])
    with pytest.raises(InvalidModel, match=r"wrong\.gguf") as why:
        inspect(wrong)
    assert str(tmp_path) not in why.value.detail


async def test_without_the_library_it_says_what_to_install(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    async with running(tmp_path, device="cpu") as service:
        told = await service.models.register({"name": "small", "file_path": str(file)})
        assert (told["framework"], told["tasks"]) == ("llama.cpp", ["text-generation"])
        job = await service.infer(ANNE, prompt="Hello", model=told["id"])
        with pytest.raises(InvalidModel, match=r"pip install llama-cpp-python.*`gguf`"):
            await job.result()
