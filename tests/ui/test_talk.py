"""Questions about one picture go along with those before them; another picture begins anew."""

from pathlib import Path

from inference_chat.schema import Media
from inference_chat.ui.talk import PAGES, TURNS, Talks, Turn, asked


def picture(id: str) -> Media:
    return Media(kind="image", id=id, media_type="image/png", size=1, path=Path("nowhere"))


def test_a_page_remembers_what_was_asked_of_its_picture():
    talks, one, other = Talks(), picture("one"), picture("other")
    talks.add("page", one, Turn("How many?", "3"))
    assert talks.about("page", one) == (Turn("How many?", "3"),)
    assert talks.about("page", other) == talks.about("another page", one) == ()
    talks.add("page", other, Turn("And here?", "2"))
    assert talks.about("page", one) == ()


def test_it_remembers_so_many_turns_and_pages():
    talks, one = Talks(), picture("one")
    for number in range(TURNS + 5):
        talks.add("first", one, Turn(str(number), ""))
    assert [turn.question for turn in talks.about("first", one)][::19] == ["5", "24"]
    for number in range(PAGES):
        talks.add(f"page {number}", one, Turn("Again?", "Yes"))
    assert talks.about("first", one) == ()


def test_the_picture_goes_with_the_first_question():
    said = asked(picture("one"), [Turn("How many?", "3")], "Which is the largest?")["messages"]
    assert [(one.role, one.text) for one in said] == [
        ("user", "How many?"),
        ("assistant", "3"),
        ("user", "Which is the largest?"),
    ]
    assert [part.type for part in said[0].content] == ["image_url", "text"]
