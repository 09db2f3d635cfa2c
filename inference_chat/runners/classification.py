"""Classes of pictures, by any image classifier; the last layer's input is the picture's embedding."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from pydantic import Field

from ..events import Event, Label, Labels, Vector
from ..schema import Options
from .embedding import ComparingRunner, EmbeddingOptions
from .vision import Size, Tensors


class ClassificationOptions(Options):
    """How many classes are told."""

    top_k: int = Field(5, ge=1, le=1000, description="So many classes, the likeliest first.")


class ClassifierRunner(ComparingRunner):
    """One image classifier."""

    what: ClassVar[str] = "an image classifier"
    auto: ClassVar[str] = "AutoModelForImageClassification"
    example: ClassVar[Options] = ClassificationOptions()

    def look(self, inputs: Tensors, sizes: Sequence[Size], options: Options) -> Sequence[Any]:
        if isinstance(options, EmbeddingOptions):
            return list(self._last_input(inputs))
        return list(scores(self.outputs(inputs).logits, self._model.config))

    def tell(self, found: Any, index: int, options: Options) -> Iterator[Event]:
        if isinstance(options, EmbeddingOptions):
            yield Vector(values=options.scaled(found), index=index)
            return
        assert isinstance(options, ClassificationOptions)
        yield Labels(items=likeliest(found, self.name_of, options.top_k), index=index)

    def _last_input(self, inputs: Tensors) -> Any:
        """What the last linear layer, the classifier proper, is given: (pictures, features)."""
        import torch

        last = [module for module in self._model.modules() if isinstance(module, torch.nn.Linear)][-1]
        given: list[Any] = []
        hook = last.register_forward_pre_hook(lambda _, values: given.append(values[0]))
        try:
            self._model(**inputs)
        finally:
            hook.remove()
        return given[-1].flatten(1).to("cpu", torch.float32)


def scores(logits: Any, config: Any) -> Any:
    """Probabilities (rows, classes) of logits: each class for itself where several can be true at once."""
    several = config.problem_type == "multi_label_classification" or logits.shape[-1] == 1
    return logits.sigmoid() if several else logits.softmax(-1)


def likeliest(row: Any, name_of: Any, count: int) -> tuple[Label, ...]:
    """The `count` classes with the highest scores of a row (classes,), the highest first."""
    best = row.topk(min(count, len(row)))
    pairs = zip(best.values.tolist(), best.indices.tolist(), strict=True)
    return tuple(Label(label=name_of(index), score=score) for score, index in pairs)
