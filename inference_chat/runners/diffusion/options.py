"""The parameters of drawing, editing and filming: the same for every model."""

from pydantic import Field

from ...schema import Options


class Drawing(Options):
    """What pictures and clips have in common. What is left out is the model's own."""

    negative_prompt: str = Field("", max_length=10_000, description="What should not be seen.")
    width: int | None = Field(None, ge=8, le=4096, description="Pixels; unset: what the model was made for.")
    height: int | None = Field(None, ge=8, le=4096, description="Pixels; unset: what the model was made for.")
    steps: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="Denoising steps; more take longer. Unset: the model's own, at most 50.",
    )
    guidance_scale: float | None = Field(
        None, ge=0, le=50, description="How closely the prompt is followed; unset: the model's own."
    )
    seed: int | None = Field(
        None, ge=0, lt=2**63, description="The same seed gives the same picture; unset: a new one each time."
    )
    scheduler: str | None = Field(
        None,
        max_length=64,
        description="How noise is taken away, such as Euler or DPMSolverMultistep; unset: the model's own.",
    )
    preview: bool = Field(True, description="Show the picture while it is being drawn.")
    film: bool = Field(
        False,
        description="Show it after every step, with its noise and without, also where that takes time.",
        json_schema_extra={"x-programs": True},
    )

    @property
    def repeatable(self) -> bool:
        return self.seed is not None


class PictureOptions(Drawing):
    """How a picture is drawn."""

    n: int = Field(1, ge=1, le=8, description="Pictures, each with the next seed.")


class EditOptions(PictureOptions):
    """How a picture is changed."""

    strength: float = Field(
        0.8, gt=0, le=1, description="How far from the picture sent: 1 keeps nothing of it."
    )
    mask: str | None = Field(
        None, description="A picture (`data:` URL): only what is white in it is drawn anew."
    )


class ClipOptions(Drawing):
    """How a clip is drawn."""

    num_frames: int | None = Field(None, ge=1, le=512, description="Frames; unset: the model's own.")
    fps: float | None = Field(None, gt=0, le=60, description="Frames a second; unset: the model's own.")
