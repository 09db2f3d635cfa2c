"""Replacing a file: killed at any byte or at any step, the old or the new content is there, whole."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_chat.files import explain_failure, replace, set_aside

OLD, NEW = b"old" * 1000, b"new content" * 1000
WRITE = f"""
import os, resource, signal, sys
from pathlib import Path
from inference_chat.files import replace
path = Path(sys.argv[1])
{{trap}}
replace(path, {NEW!r}, path.with_name("backup"))
"""
KILLED_AT_BYTE = WRITE.format(
    trap="""
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it; the system's way is to kill
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
"""
)
KILLED_AT_STEP = WRITE.format(
    trap="""
steps = 0
def count(event, arguments):
    global steps
    if event.partition(".")[0] in ("open", "os"):
        steps += 1
        if steps == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
"""
)


def run(code: str, path: Path, argument: int) -> int:
    root = Path(__file__).parent.parent
    command = [sys.executable, "-c", code, str(path), str(argument)]
    return subprocess.run(command, check=False, env=os.environ | {"PYTHONPATH": str(root)}).returncode


@pytest.mark.parametrize("size", [0, 1, 4096, len(NEW) - 1])
def test_killed_while_writing_any_byte_leaves_the_old_file(tmp_path: Path, size: int):
    path = tmp_path / "file"
    path.write_bytes(OLD)
    assert run(KILLED_AT_BYTE, path, size) < 0
    assert path.read_bytes() == OLD
    replace(path, NEW, tmp_path / "backup")
    assert (path.read_bytes(), (tmp_path / "backup").read_bytes()) == (NEW, OLD)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["backup", "file"]


def test_killed_at_any_step_leaves_the_old_or_the_new_file(tmp_path: Path):
    path, seen = tmp_path / "file", set()
    for step in range(1, 100):
        path.write_bytes(OLD)
        killed = run(KILLED_AT_STEP, path, step) != 0
        seen.add(path.read_bytes())
        if not killed:
            break
    else:
        pytest.fail("the writer never came to its end")
    assert step > 5
    assert seen == {OLD, NEW}


@given(old=st.binary(), new=st.binary())
def test_what_was_written_is_read_and_what_was_there_is_kept(tmp_path_factory, old: bytes, new: bytes):
    folder = tmp_path_factory.mktemp("files")
    for content in (old, new):
        replace(folder / "sub" / "file", content, folder / "backup")
    assert ((folder / "sub" / "file").read_bytes(), (folder / "backup").read_bytes()) == (new, old)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(OLD)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            replace(path, NEW, tmp_path / "backup")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "disk is full" in explain_failure(caught.value, "registry")
    assert [path.read_bytes(), *tmp_path.iterdir()] == [OLD, path]


def test_set_aside_keeps_companions_next_to_each_other(tmp_path: Path):
    for name in ("x.db", "x.db-wal"):
        (tmp_path / name).write_text(name)
    kept = set_aside(tmp_path / "x.db", "-wal", "-shm")
    assert kept.read_text() == "x.db"
    assert kept.with_name(kept.name + "-wal").read_text() == "x.db-wal"
    assert not (tmp_path / "x.db").exists()


@pytest.mark.parametrize(
    ("code", "advice"), [(errno.ENOSPC, "Free some space"), (errno.EACCES, "allow"), (errno.EIO, "check")]
)
def test_a_failure_is_told_with_what_helps_and_without_paths(code: int, advice: str):
    text = explain_failure(OSError(code, os.strerror(code), "/secret/place"), "registry")
    assert advice in text
    assert "secret" not in text
