"""`/models/{id}/tokens` and `/models/{id}/saliency`: looking inside a model, for those who learn."""

from pydantic import BaseModel, ConfigDict, Field

from ..events import Box
from ..runners.pieces import Piece
from .dependencies import TheCaller, TheService


class TextToSplit(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "Hello there!"}]})

    text: str


class Split(BaseModel):
    """The tokens of a text, as the model reads it."""

    model: str
    count: int
    tokens: list[Piece]


class PictureToShow(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"image": "data:image/png;base64,iVBORw0KGgo…"}]}
    )

    image: str = Field(description="A `data:` URL or base64.")
    label: str | None = Field(None, description="Whose reasons to show; unset: the likeliest answer's.")


class Saliency(BaseModel):
    """How much less sure the model is while a part of the picture is covered: a grid, and as a PNG."""

    model: str
    label: str
    score: float
    box: Box | None = None
    grid: list[list[float]] = Field(description="The loss of the score in each cell, rows from the top.")
    heat: str = Field(description="The grid as a PNG of the picture's size, white where most is lost.")
    labels: list[str] = Field(description="What else the model found, the surest first.")


async def split_text(service: TheService, _caller: TheCaller, id: str, body: TextToSplit) -> Split:
    """How the model's tokenizer splits a text: numbers, and which characters each token stands for."""
    return Split.model_validate(await service.inside.tokens(id, body.text))


async def show_saliency(service: TheService, _caller: TheCaller, id: str, body: PictureToShow) -> Saliency:
    """What in a picture a classifier's or detector's answer rests on, by covering parts of it."""
    picture = await service.intake.link(body.image, "image")
    return Saliency.model_validate(await service.inside.saliency(id, picture, body.label))
