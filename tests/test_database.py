"""The database on bad days: damaged, locked, full, read-only, of another time."""

import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from inference_chat import database
from inference_chat.database import clean, open_database, parse_url, schema_version
from inference_chat.errors import SettingsError, StorageFailed
from inference_chat.sessions.store import Sessions

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
connection.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "chat.db"


@contextmanager
def lock_of_another_process(path: Path) -> Iterator[None]:
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "locked\n"
        yield
        holder.stdin.close()


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A disk that is full: no file grows beyond `size` bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:./data/x.db", "./data/x.db"),
        ("sqlite:x.db", "x.db"),
        ("sqlite:/abs/x.db", "/abs/x.db"),
        ("sqlite:///x.db", "x.db"),
        ("sqlite:////abs/x.db", "/abs/x.db"),
    ],
)
def test_sqlite_urls_as_people_write_them(url: str, file: str):
    assert parse_url(url).database == file


@pytest.mark.parametrize(
    "url", ["", "sqlite:", "sqlite::memory:", "nonsense", "oracledb2://x", "sqlite://x:y:z"]
)
def test_urls_that_cannot_be_used_are_told(url: str):
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        parse_url(url)


def test_every_commit_is_on_the_disk_and_keys_are_checked(path: Path):
    opened = open_database(f"sqlite:{path}")
    with opened.read() as connection:
        pragmas = [
            connection.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    opened.close()
    assert pragmas == ["wal", 2, 1]


def test_a_failed_block_changes_nothing(path: Path):
    opened = open_database(f"sqlite:{path}")
    with suppress(KeyError), opened.write() as connection:
        connection.execute(update(schema_version).values(version=7))
        raise KeyError
    with opened.read() as connection:
        assert connection.scalar(select(schema_version.c.version)) == database.SCHEMA_VERSION
    opened.close()


@pytest.mark.parametrize("damage", ["text", "middle", "cut"])
def test_a_damaged_file_is_kept_aside(path: Path, damage: str):
    conversations = Sessions(f"sqlite:{path}")
    for _ in range(50):
        conversations.add_turn(conversations.create("me").id, "x" * 2000, parent_id=None, model=None)
    conversations.close()
    content = path.read_bytes()
    middle = len(content) // 2
    broken = {
        "text": b"this is no database" * 100,
        "middle": content[:4096] + b"\xa5" * (len(content) - 4096),
        "cut": content[:middle],
    }[damage]
    path.write_bytes(broken)
    opened = open_database(f"sqlite:{path}")
    opened.close()
    [kept] = path.parent.glob("chat.db.corrupt-*")
    assert kept.read_bytes() == broken
    assert kept.name in opened.notices[0]
    assert open_and_close(path).notices == ()


def open_and_close(path: Path) -> database.Database:
    opened = open_database(f"sqlite:{path}")
    opened.close()
    return opened


def test_a_database_of_a_newer_release_is_left_alone(path: Path):
    open_and_close(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE schema_version SET version = 99")
    connection.close()
    with pytest.raises(SettingsError, match="format 99"):
        open_database(f"sqlite:{path}")


def test_a_lock_held_by_another_process_ends_the_wait(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    conversations = Sessions(f"sqlite:{path}")
    with lock_of_another_process(path):
        with pytest.raises(StorageFailed, match="Another program"):
            conversations.create("me")
        with pytest.raises(StorageFailed, match="Another program"):
            open_database(f"sqlite:{path}")
    assert conversations.create("me").owner == "me"
    conversations.close()
    assert not list(path.parent.glob("*corrupt*"))


def test_a_full_disk_loses_nothing(path: Path):
    conversations = Sessions(f"sqlite:{path}")
    session = conversations.create("me")
    said, _ = conversations.add_turn(session.id, "kept", parent_id=None, model=None)
    with files_of_at_most(path.with_name("chat.db-wal").stat().st_size + 10_000):
        with pytest.raises(StorageFailed, match=r"disk is (full|well)"):
            conversations.add_turn(session.id, "x" * 10**6, parent_id=said.id, model=None)
        assert [message.text for message in conversations.path(session.id)] == ["kept", ""]
    conversations.add_turn(session.id, "after", parent_id=said.id, model=None)
    assert [message.text for message in conversations.path(session.id)] == ["kept", "after", ""]
    conversations.close()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageFailed, match="cannot be reached") as caught:
        open_database(f"sqlite:{tmp_path / 'file' / 'chat.db'}")
    assert str(tmp_path) not in caught.value.detail


@pytest.mark.parametrize(
    ("code", "advice"),
    [("SQLITE_FULL", "Free some space"), ("SQLITE_READONLY_DBMOVED", "Allow writing"), ("", "log")],
)
def test_errors_are_told_with_what_helps(code: str, advice: str):
    error = sqlite3.OperationalError("at /secret/place")
    error.sqlite_errorname = code
    assert advice in database.sentence(error)


def test_a_server_that_is_not_there_is_told():
    with pytest.raises(StorageFailed, match="cannot be reached"):
        open_database("postgresql://nobody@127.0.0.1:9/none?connect_timeout=2")


def test_text_is_made_fit_for_every_database():
    assert clean({"a\0": ["\0b", ("\ud83d\ude00", "\ud800x")], "n": 1}) == {
        "a": ["b", ["😀", "\ufffdx"]],
        "n": 1,
    }


def test_connections_are_closed_at_the_end(path: Path):
    opened = open_database(f"sqlite:{path}")
    with opened.read(), opened.read():
        pass
    opened.close()
    assert os.listdir(path.parent) == ["chat.db"]  # the last connection takes its -wal and -shm along
