"""Pictures beside texts: classes that are named in the request, by CLIP, SigLIP and their like."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from pydantic import Field, field_validator

from ..events import Event, Labels, Vector
from ..schema import Options, Request
from .classification import likeliest
from .embedding import ComparingRunner, EmbeddingOptions
from .vision import Size, Tensors
from .words import Words, wanted


class ZeroShotOptions(Options):
    """The classes to choose from, and how they are put to the model."""

    labels: Words = Field((), description="The classes to choose from: a list, or one text with commas.")
    hypothesis_template: str = Field(
        "This is a photo of {}.",
        max_length=500,
        description="The sentence that each class is put into, where {} stands.",
    )
    top_k: int = Field(100, ge=1, le=1000, description="So many classes, the likeliest first.")

    @field_validator("hypothesis_template")
    @classmethod
    def _has_a_place(cls, template: str) -> str:
        if template.count("{}") != 1:
            raise ValueError("write {} once, where the class is to stand")
        return template

    @property
    def sentences(self) -> list[str]:
        return [self.hypothesis_template.replace("{}", label) for label in self.labels]


class DualEncoderRunner(ComparingRunner):
    """One model that reads pictures and texts into the same space."""

    what: ClassVar[str] = "a model of pictures and texts"
    auto: ClassVar[str] = "AutoModelForZeroShotImageClassification"
    reader: ClassVar[str] = "AutoProcessor"
    optional: ClassVar[tuple[str, ...]] = ("position_ids",)
    example: ClassVar[Options] = ZeroShotOptions(labels=("a", "b"))

    def checked(self, request: Request) -> Options:
        if isinstance(request.options, ZeroShotOptions):
            wanted(request.options.labels)
        return request.options

    def read(self, image: Any, options: Options) -> Any:
        return self._reader.image_processor(images=image, return_tensors="pt")

    def look(self, inputs: Tensors, sizes: Sequence[Size], options: Options) -> Sequence[Any]:
        import torch

        if isinstance(options, EmbeddingOptions):
            found = self._model.get_image_features(**inputs)
            vectors = found if torch.is_tensor(found) else found.pooler_output
            return list(vectors.to("cpu", torch.float32))
        assert isinstance(options, ZeroShotOptions)
        logits = self._model(**inputs, **self._texts(options)).logits_per_image.to("cpu", torch.float32)
        return list(logits.sigmoid() if self._each_for_itself else logits.softmax(-1))

    def tell(self, found: Any, index: int, options: Options) -> Iterator[Event]:
        if isinstance(options, EmbeddingOptions):
            yield Vector(values=options.scaled(found), index=index)
            return
        assert isinstance(options, ZeroShotOptions)
        yield Labels(items=likeliest(found, options.labels.__getitem__, options.top_k), index=index)

    @property
    def _each_for_itself(self) -> bool:
        """Whether classes are judged one by one, by a sigmoid with a bias (SigLIP), or against each other."""
        return hasattr(self._model, "logit_bias")

    def _texts(self, options: ZeroShotOptions) -> Tensors:
        """Tokens (classes, length); padded as far as in training where that is to a fixed length."""
        tokenizer = self._reader.tokenizer
        how: dict[str, Any] = {"padding": True, "truncation": True}
        if self._each_for_itself:
            how |= {
                "padding": "max_length",
                "max_length": self._model.config.text_config.max_position_embeddings,
            }
        tokens: Tensors = dict(tokenizer(options.sentences, return_tensors="pt", **how))
        return {key: value.to(self.placement.device) for key, value in tokens.items()}
