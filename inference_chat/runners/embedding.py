"""Embeddings of pictures, and how alike pictures are."""

from collections.abc import Iterator, Sequence
from threading import Event as Flag
from typing import Any, ClassVar

from pydantic import Field

from ..events import Event, Finished, Label, Labels, Vector
from ..schema import Options, Request
from .checkpoint import Checkpoint
from .vision import Size, Tensors, VisionRunner


class EmbeddingOptions(Options):
    """What is told of an embedding."""

    normalize: bool = Field(True, description="Scale to the length 1, so that a product is a cosine.")
    similarity: bool = Field(
        False, description="Tell for each picture how alike the others are: the cosine of their embeddings."
    )

    def scaled(self, vector: Any) -> tuple[float, ...]:
        """The numbers of a vector (features,)."""
        import torch

        return tuple((torch.nn.functional.normalize(vector, dim=0) if self.normalize else vector).tolist())


class ComparingRunner(VisionRunner):
    """A runner whose vectors are compared with each other, where that is asked for."""

    def run(self, request: Request, stop: Flag) -> Iterator[Event]:
        options = request.options
        if not (isinstance(options, EmbeddingOptions) and options.similarity):
            yield from super().run(request, stop)
            return
        vectors: list[Vector] = []
        for event in super().run(request, stop):
            if isinstance(event, Vector):
                vectors.append(event)
            if isinstance(event, Finished):
                yield from _alike(sorted(vectors, key=lambda vector: vector.index))
            yield event


def _alike(vectors: Sequence[Vector]) -> Iterator[Labels]:
    """For each picture the others by their number from 1, the most alike first."""
    if not vectors:
        return
    import torch

    rows = torch.nn.functional.normalize(torch.tensor([vector.values for vector in vectors]))
    for own, row in zip(vectors, (rows @ rows.T).tolist(), strict=True):
        others = [
            Label(label=f"picture {other.index + 1}", score=score)
            for other, score in zip(vectors, row, strict=True)
            if other is not own
        ]
        others.sort(key=lambda label: -(label.score or 0.0))
        yield Labels(items=tuple(others), index=own.index)


class EncoderRunner(ComparingRunner):
    """One model that makes vectors of pictures and nothing else."""

    what: ClassVar[str] = "an encoder of pictures"
    auto: ClassVar[str] = "AutoModel"
    optional: ClassVar[tuple[str, ...]] = ("pooler.",)
    example: ClassVar[Options] = EmbeddingOptions()

    def bring(self) -> None:
        super().bring()
        config = self._model.config
        if getattr(config, "mask_ratio", None):
            config.mask_ratio = 0.0  # nothing of the picture is hidden, as it is in training
        learned = any("pooler." in name for name, _ in self._model.named_parameters())
        self._pools = not learned or _has_a_pooler(self.checkpoint)

    def look(self, inputs: Tensors, sizes: Sequence[Size], options: Options) -> Sequence[Any]:
        out = self.outputs(inputs)
        for name in ("image_embeds", "pooler_output") if self._pools else ("image_embeds",):
            if (pooled := out.get(name)) is not None:
                return list(pooled.flatten(1))
        return list(self._pooled(out.last_hidden_state))

    def tell(self, found: Any, index: int, options: Options) -> Iterator[Event]:
        assert isinstance(options, EmbeddingOptions)
        yield Vector(values=options.scaled(found), index=index)

    def _pooled(self, hidden: Any) -> Any:
        """One vector for each picture, of tokens (pictures, tokens, features) or maps (…, height, width).

        Where the model has a token for the whole picture, that one; else the mean.
        """
        if hidden.ndim == 4:
            return hidden.mean((2, 3))
        if any(name.endswith("cls_token") for name, _ in self._model.named_parameters()):
            return hidden[:, 0]
        return hidden.mean(1)


def _has_a_pooler(checkpoint: Checkpoint) -> bool:
    from safetensors import safe_open

    for path in checkpoint.files:
        with safe_open(path, framework="np") as file:
            if any("pooler." in name for name in file.keys()):  # noqa: SIM118 - it is no mapping
                return True
    return False
