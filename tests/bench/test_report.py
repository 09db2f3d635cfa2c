import re
from pathlib import Path

from .report import conditions, machine, section


def test_a_section_is_replaced_and_the_others_stay(tmp_path: Path):
    page = tmp_path / "RESULTS.md"
    for name, text in (("One", "old"), ("Two", "| a |\n|---|\n| 1 |"), ("One", "new")):
        section(name, text, page, "quiet")
    written = page.read_text()
    assert written.count(machine()) == 1
    assert "old" not in written
    assert written.index("## One\n\nnew\n\nquiet\n") < written.index("## Two\n\n| a |\n|---|\n| 1 |\n")


def test_writing_again_changes_nothing(tmp_path: Path):
    page = tmp_path / "RESULTS.md"
    section("One", "same", page, "quiet")
    before = page.read_text()
    section("One", "same", page, "quiet")
    assert page.read_text() == before


def test_conditions_tell_how_quick_the_machine_is():
    told = r"Measured [\d-]{10} at a load of [\d.]+ on \d+ cores; one multiplies bfloat16 at \d+ GFLOP/s\."
    assert re.fullmatch(told, conditions())
