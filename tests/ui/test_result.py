"""What the view is given of a job under way: what has been found until then."""

from dataclasses import dataclass, field

import pytest

from inference_chat.events import Event, File, ImageReady, Label, Labels, Progress, Span, TextDelta
from inference_chat.ui.result import sketched

PICTURE = File(data=b"\xff\xd8", media_type="image/jpeg")


@dataclass
class Under:
    """A job as far as it has come."""

    events: list[Event]
    id: str = field(default="one")


def seen(*tracks: tuple[str, int]) -> Labels:
    return Labels(items=tuple(Label(label=name, track=track) for name, track in tracks), frame=0, time_s=0)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([Progress(phase="working")], None),
        ([ImageReady(image=PICTURE, role="preview", index=0)], {"preview": PICTURE.url()}),
        (
            [seen(("red", 1), ("blue", 2)), seen(("red", 1), ("red", 3)), Progress(phase="working")],
            {"sofar": {"objects": [("red", 2), ("blue", 1)]}},
        ),
        (
            [Span(start_s=0, end_s=2, kind="scene", image=PICTURE), Span(start_s=2, end_s=2, kind="cut")],
            {"sofar": {"scenes": [{"start_s": 0.0, "image": PICTURE.url()}]}},
        ),
        ([TextDelta(text="A red"), TextDelta(text=" circle")], {"sofar": {"text": "A red circle"}}),
    ],
)
def test_what_there_is_so_far(events: list[Event], expected: dict[str, object] | None):
    found = sketched(Under(events))  # type: ignore[arg-type]
    assert found == (expected and {"id": "one"} | expected)
