"""Questions about pictures, by models that choose among known answers (ViLT)."""

from collections.abc import Iterator, Mapping, Sequence
from threading import Event as Flag
from typing import Any, ClassVar

from pydantic import Field

from ..errors import InvalidRequest
from ..events import Event, Finished, Labels, TextDelta
from ..schema import Options, Request
from .classification import likeliest
from .vision import Size, Tensors, VisionRunner

SHOWN = 5


class Question(Options):
    """What is asked about each picture."""

    text: str = Field(min_length=1)


class QuestionRunner(VisionRunner):
    """One model that answers with one of the answers it knows; the others follow as labels."""

    what: ClassVar[str] = "a model that answers questions about pictures"
    auto: ClassVar[str] = "AutoModelForVisualQuestionAnswering"
    reader: ClassVar[str] = "AutoProcessor"
    example: ClassVar[Options] = Question(text="what is this?")

    def checked(self, request: Request) -> Options:
        asked = request.prompt if request.prompt is not None else request.messages[-1].text
        if not asked.strip():
            raise InvalidRequest("question: say what you want to know about the picture.")
        return Question(text=asked)

    def run(self, request: Request, stop: Flag) -> Iterator[Event]:
        asked = sum(one.kind == "image" for one in request.media)
        for event in super().run(request, stop):
            if isinstance(event, Finished):
                yield event.model_copy(update={"finish_reasons": event.finish_reasons * asked})
            else:
                yield event

    def read(self, image: Any, options: Options) -> Mapping[str, Any]:
        assert isinstance(options, Question)
        found: Mapping[str, Any] = self._reader(
            images=image, text=options.text, truncation=True, return_tensors="pt"
        )
        return found

    def look(self, inputs: Tensors, sizes: Sequence[Size], options: Options) -> Sequence[Any]:
        return list(self.outputs(inputs).logits.sigmoid())

    def tell(self, found: Any, index: int, options: Options) -> Iterator[Event]:
        best = likeliest(found, self.name_of, SHOWN)
        yield TextDelta(text=best[0].label, choice=index)
        yield Labels(items=best, index=index)
