"""What the documents say is what the code does: tables are compared, snippets are run."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from . import tables, tiny, tiny_vision
from .running import MODULE, ROOT, running

README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
DOCUMENTS = {"README.md": README, "CONTRIBUTING.md": GUIDE}
HERE = "http://127.0.0.1:7860"


def snippets(language: str) -> list[str]:
    """README's blocks of `language` that talk to a running server; comments are no talk."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return [block for block in blocks if re.search(r"^[^#\n]*://127.0.0.1:7860", block, re.MULTILINE)]


def test_the_tables_are_those_of_the_code():
    assert tables.written(README) == README, "write them anew: python -m tests.tables"


@pytest.mark.parametrize("table", tables.TABLES)
def test_every_table_has_its_place(table: str):
    assert len(re.findall(rf"<!-- /?{table} -->", README)) == 2


def test_the_first_screen_has_the_two_commands():
    body = README.split("---\n", 2)[2]
    first = "\n".join(body.splitlines()[:30])
    assert re.findall(r"^make \w+", first, re.MULTILINE) == ["make run", "make test"]


def test_the_header_of_the_space_fits_the_pins():
    header = yaml.safe_load(README.split("---\n")[1])
    assert header["sdk_version"] == version("gradio")
    assert (ROOT / header["app_file"]).is_file()
    assert f'requires-python = ">={header["python_version"]}"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str):
    text = DOCUMENTS[document]
    anchors = {
        re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        assert (ROOT / path).exists(), target
        assert path or anchor in anchors, target


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_of_make_exist(document: str):
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", DOCUMENTS[document], re.MULTILINE)) <= known


def test_modules_named_in_the_guide_exist():
    for name in re.findall(r"`((?:inference_chat|tests|examples)/[\w/.]*)`", GUIDE):
        assert (ROOT / name).exists(), name


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The program with a tiny model under the starter's name, and the models it registers by itself."""
    place = tmp_path_factory.mktemp("server")
    tiny.card(tiny.build(place / "model_cards" / "starter-chat"), "starter-chat")
    tiny_vision.build("YolosForObjectDetection", place / "model_cards" / "starter-detector")
    tiny.card(tiny.build(place / "my-model", seed=1), "my-model")
    with running(place, *MODULE) as (url, _):
        os.environ["MY_MODEL"] = str(place / "my-model")
        yield url


@pytest.mark.parametrize("snippet", snippets("python"), ids=lambda text: text.split("\n")[0][:40])
def test_python_snippets_run(server: str, snippet: str, tmp_path: Path):
    run([sys.executable, "-c", at(server, snippet)], tmp_path)


@pytest.mark.parametrize("snippet", snippets("bash"), ids=lambda text: text.split("\n")[0][:40])
def test_shell_snippets_run(server: str, snippet: str, tmp_path: Path):
    tiny_vision.scene().save(tmp_path / "photo.png")
    said = run(
        ["bash", "-euo", "pipefail", "-c", at(server, snippet).replace("curl ", "curl -sSf ")], tmp_path
    )
    assert said.strip()


def at(server: str, snippet: str) -> str:
    """The snippet as a reader would adapt it: the address, and the folder of the reader's own model."""
    moved = snippet.replace(HERE, server).replace(HERE.replace("http", "ws"), server.replace("http", "ws"))
    return moved.replace("/path/to/my-model", os.environ["MY_MODEL"])


def run(command: list[str], place: Path) -> str:
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
