from pathlib import Path

from .report import machine, section


def test_a_section_is_replaced_and_the_others_stay(tmp_path: Path):
    page = tmp_path / "RESULTS.md"
    for name, text in (("One", "old"), ("Two", "| a |\n|---|\n| 1 |"), ("One", "new")):
        section(name, text, page)
    written = page.read_text()
    assert written.count(machine()) == 1
    assert "old" not in written
    assert written.index("## One\n\nnew\n") < written.index("## Two\n\n| a |\n|---|\n| 1 |\n")


def test_writing_again_changes_nothing(tmp_path: Path):
    page = tmp_path / "RESULTS.md"
    section("One", "same", page)
    before = page.read_text()
    section("One", "same", page)
    assert page.read_text() == before
