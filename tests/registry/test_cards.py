from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_chat.errors import InvalidModel
from inference_chat.registry.cards import ModelCard, capability, find_cards, read_card

FULL = """---
license: apache-2.0
pipeline_tag: text-generation
tags: [chat, conversational]
language: en
model-index: nonsense
inference_chat:
  name: starter-chat
  version: 1.2
  description: Talks.
  parameters: {top_p: 0.9}
  hub_id: someone/starter
  revision: main
---
# Starter

Some prose.
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_card_is_read_with_our_own_block(tmp_path: Path):
    assert read_card(write(tmp_path / "x" / "README.md", FULL)) == ModelCard(
        name="starter-chat",
        version="1.2",
        description="Talks.",
        license="apache-2.0",
        tags=("chat", "conversational"),
        tasks=("text-generation",),
        capabilities=("TextGeneration", "Chat"),
        parameters={"top_p": 0.9},
        text="# Starter\n\nSome prose.",
        hub_id="someone/starter",
        revision="main",
    )


def test_a_plain_text_is_a_card_named_after_its_place(tmp_path: Path):
    card = read_card(write(tmp_path / "my model" / "README.md", "# Title\n\nFirst\nlines.\n\nMore."))
    assert (card.name, card.description, card.version) == ("my-model", "First lines.", "1.0.0")
    assert read_card(write(tmp_path / "gpt2.md", "")).name == "gpt2"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("---\nlicense: mit\ntags: [a\nx: 1\n---\n", "line 4"),
        ("---\n- a\n- b\n---\n", "dict"),
        ("---\ntags: 3\n---\n", "cannot be used"),
        ("---\ntags: [1]\n---\n", "tags.0"),
        ("---\ninference_chat: 3\n---\n", "inference_chat is not"),
        ("---\ninference_chat: {nmae: x}\n---\n", "inference_chat.nmae"),
        ("---\ninference_chat: {name: ../x}\n---\n", "name"),
        ("---\ninference_chat: {hub_id: ../../etc/passwd}\n---\n", "hub_id"),
    ],
)
def test_a_broken_card_is_told_with_its_place(tmp_path: Path, text: str, words: str):
    with pytest.raises(InvalidModel, match=words) as caught:
        read_card(write(tmp_path / "broken" / "README.md", text))
    assert "broken/README.md" in caught.value.detail
    assert str(tmp_path) not in caught.value.detail


def test_a_card_that_is_no_text_or_not_there_is_told(tmp_path: Path):
    (tmp_path / "x.md").write_bytes(b"\xff\xfe\x00")
    for name, words in (("x.md", "UTF-8"), ("y.md", "cannot be read")):
        with pytest.raises(InvalidModel, match=words):
            read_card(tmp_path / name)


@given(text=st.text())
def test_any_text_is_a_card_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str):
    path = write(tmp_path_factory.mktemp("cards") / "some.md", f"---\n{text}\n---\nbody")
    with suppress(InvalidModel):
        assert read_card(path).name


def test_cards_are_found_in_model_folders_and_as_files(tmp_path: Path):
    for name in ("b", "a", "no-config"):
        write(tmp_path / name / "README.md", FULL)
    write(tmp_path / "a" / "config.json", "{}")
    write(tmp_path / "b" / "model_index.json", "{}")
    write(tmp_path / "no-card" / "config.json", "{}")
    write(tmp_path / "one.md", "---\n[\n---\n")
    write(tmp_path / "README.md", "about this folder")
    found = dict(find_cards(tmp_path))
    assert [path.name for path in found] == ["a", "b", "no-card", "one.md"]
    assert isinstance(found[tmp_path / "one.md"], InvalidModel)
    assert found[tmp_path / "no-card"] == ModelCard(name="no-card")
    assert list(find_cards(tmp_path / "nowhere")) == []


def test_capabilities_are_words():
    assert capability("zero-shot-image-classification") == "ZeroShotImageClassification"
