"""From a request to the call of a pipeline: everything is checked and completed before the first step."""

import math
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from ...errors import InvalidRequest, OutOfMemory
from ...media import open_image
from ...schema import Request
from ..device import memory_free
from .abilities import Way
from .inputs import fitted, mask_of, unread
from .options import ClipOptions, Drawing, EditOptions
from .sizes import Canvas, Size, canvas_of, config_of, fps_of, frames_of, parameters_of

MOST_STEPS_UNASKED = 50
LARGEST_UPSCALED = 1024
UPSCALED = 4
"""How much larger upscalers make a picture, along a side."""
FIRM_GUIDANCE = 4.0
"""Where a model has no guidance of its own, the scale at which what should not be seen is kept out."""
TILED_BEYOND = 1.5
UNTILED = 768 * 768
"""Pictures larger than this, and so many times larger than a model was made for, are decoded in tiles."""


@dataclass(frozen=True)
class Plan:
    """A call of a pipeline, ready to be made for any seed."""

    pipe: Any
    arguments: dict[str, Any]
    options: Drawing
    """What was asked for, with everything filled in that was left out."""
    size: Size
    steps: int
    scheduler: Any
    notes: tuple[str, ...] = ()
    frames: int = 0
    fps: float = 0.0
    tiled: bool = False
    original: Any = None
    mask: Any = None


def plan(pipe: Any, way: Way, request: Request, name: str) -> Plan:
    """What to call, for a pipeline that does `way`.

    Raises `InvalidRequest` for what the model cannot do, `BadMedia`, and `OutOfMemory` for sizes that do not
    fit into memory.
    """
    options = request.options
    assert isinstance(options, Drawing)
    notes: list[str] = []
    canvas, given = canvas_of(pipe), dict[str, Any]()
    size, picture, mask = _inputs(pipe, way, request, options, canvas, notes, name)
    if picture is not None:
        given |= {"image": picture, "mask_image": mask}
    steps = _steps(pipe, options, name)
    given |= {"num_inference_steps": steps, "width": size[0], "height": size[1]}
    given |= _prompt(pipe, request.prompt or "", options, notes, name)
    given |= {"strength": getattr(options, "strength", None), "guidance_scale": options.guidance_scale}
    frames, fps = 0, 0.0
    if isinstance(options, ClipOptions):
        frames = frames_of(pipe, name, options.num_frames)
        fps = options.fps or fps_of(pipe, frames)
        given |= {"num_frames": frames, "fps": round(fps), "frame_rate": fps}
    _check_memory(pipe, size, frames, name)
    fixed = {"output_type": "pil", "use_resolution_binning": False, "clean_caption": False, "batch_size": 1}
    taken = parameters_of(pipe)
    arguments = {key: value for key, value in (given | fixed).items() if key in taken and value is not None}
    scheduler = _scheduler(pipe, options.scheduler, name)
    filled = {
        "width": size[0],
        "height": size[1],
        "steps": steps,
        "guidance_scale": options.guidance_scale or _default(taken, "guidance_scale"),
        "scheduler": scheduler.__name__.removesuffix("Scheduler"),
    } | ({"num_frames": frames, "fps": fps} if frames else {})
    return Plan(
        pipe=pipe,
        arguments=arguments,
        options=options.model_copy(update=filled),
        size=size,
        steps=steps,
        scheduler=scheduler,
        notes=tuple(notes),
        frames=frames,
        fps=fps,
        tiled=_pixels(pipe, size) > max(UNTILED, TILED_BEYOND * math.prod(canvas.native)),
        original=picture,
        mask=mask,
    )


def _inputs(
    pipe: Any, way: Way, request: Request, options: Drawing, canvas: Canvas, notes: list[str], name: str
) -> tuple[Size, Any, Any]:
    """The size to draw, the picture to begin with, and the mask; None where there is none."""
    if way in ("draw", "film"):
        return canvas.checked(name, options.width, options.height), None, None
    masked = options.mask if isinstance(options, EditOptions) else None
    files = [one for one in request.media if one.kind == "image"]
    sent = open_image(files[0].read())
    if is_upscaler(pipe):
        if max(sent.size) > LARGEST_UPSCALED:
            raise InvalidRequest(
                f"{name} enlarges pictures of at most {LARGEST_UPSCALED} pixels a side, "
                f"not {sent.width} × {sent.height}."
            )
        size = Canvas(native=sent.size, multiple=8).nearest(sent.size)
    elif options.width or options.height:
        size = canvas.checked(name, options.width, options.height)
    else:
        size = canvas.like(sent.size)
    if size != sent.size:
        notes.append(f"The picture was brought from {sent.width} × {sent.height} to {size[0]} × {size[1]}.")
    found = request.find(masked) if masked else None
    return size, fitted(sent, size), mask_of(found, size) if found else None


def _prompt(pipe: Any, prompt: str, options: Drawing, notes: list[str], name: str) -> dict[str, Any]:
    taken = parameters_of(pipe)
    given: dict[str, Any] = {"prompt": prompt}
    if "class_labels" in taken:
        return {"class_labels": [_label(pipe, prompt, name)]}
    if "prompt" not in taken and prompt.strip():
        notes.append(f"{name} draws without a prompt: it was not read.")
    elif lost := unread(pipe, prompt):
        notes.append(f"The prompt is longer than {name} reads; this was left out: {lost}")
    if options.negative_prompt:
        if "negative_prompt" not in taken:
            notes.append(f"{name} knows no negative prompt: it was not read.")
        given["negative_prompt"] = options.negative_prompt
        if (_default(taken, "true_cfg_scale") or FIRM_GUIDANCE) <= 1:
            given["true_cfg_scale"] = FIRM_GUIDANCE
    return given


def _label(pipe: Any, prompt: str, name: str) -> int:
    """The number of the class that a prompt names, for models that draw classes of things."""
    labels = {str(label).lower(): int(number) for label, number in (pipe.labels or {}).items()}
    asked = prompt.strip().lower()
    if asked in labels:
        return labels[asked]
    count = int(getattr(config_of(pipe), "num_embeds_ada_norm", 0) or 0)
    if asked.isdecimal() and int(asked) < count:
        return int(asked)
    near = get_close_matches(asked, labels, 3, 0.5) or sorted(labels)[:3]
    hint = f"such as {', '.join(near)}" if near else f"a number below {count}"
    raise InvalidRequest(f"{name} draws things of the classes it knows: name one, {hint}.")


def _steps(pipe: Any, options: Drawing, name: str) -> int:
    config = pipe.scheduler.config
    most = int(getattr(config, "num_train_timesteps", None) or 1000) - int(getattr(config, "steps_offset", 0))
    default = _default(parameters_of(pipe), "num_inference_steps") or MOST_STEPS_UNASKED
    steps = options.steps or min(int(default), MOST_STEPS_UNASKED)
    if steps > most:
        raise InvalidRequest(f"{name} takes at most {most} steps, not {steps}.")
    if isinstance(options, EditOptions) and "strength" in parameters_of(pipe):
        fewest = math.ceil(1 / options.strength - 1e-9)
        if steps < fewest:
            raise InvalidRequest(
                f"With strength {options.strength:g} at least {fewest} steps are needed, not {steps}: "
                "ask for more steps or more strength."
            )
    return steps


def _scheduler(pipe: Any, asked: str | None, name: str) -> type[Any]:
    """The class that takes the noise away, by the name people give it."""
    own = type(pipe.scheduler)
    if not asked:
        return own
    known = {kind.__name__.removesuffix("Scheduler"): kind for kind in (own, *_compatible(pipe))}
    wanted = asked.lower().removesuffix("scheduler")
    for short in sorted(known, key=len):
        if short.lower() == wanted or short.lower().removesuffix("discrete") == wanted:
            return known[short]
    raise InvalidRequest(f"{name} has no scheduler {asked!r}; it can use {', '.join(sorted(known))}.")


def _compatible(pipe: Any) -> list[type[Any]]:
    """Schedulers that work with a pipeline's own settings; those of missing libraries are left out."""
    return [kind for kind in pipe.scheduler.compatibles if not hasattr(kind, "_backends")]


def _check_memory(pipe: Any, size: Size, frames: int, name: str) -> None:
    """Refuse what would end the process: the work space of the denoiser, and of the decoder in tiles."""
    config, canvas = config_of(pipe), canvas_of(pipe)
    heads = (getattr(config, name, None) for name in ("num_attention_heads", "attention_head_dim"))
    blocks = getattr(config, "block_out_channels", None)
    width = blocks[0] if blocks else math.prod(one for one in heads if isinstance(one, int))
    tokens = math.prod(size) * max(1, frames // 4) // canvas.multiple**2
    pixels = _pixels(pipe, size)
    decoded = min(pixels, max(UNTILED, TILED_BEYOND * math.prod(canvas.native))) * max(1, min(frames, 8))
    needed = tokens * width * 4 * 40 + int(decoded) * 128 * 4 * 4 + pixels * max(1, frames) * 16
    if needed > (free := memory_free()):
        raise OutOfMemory(
            f"{name} would need about {needed >> 20:,} MiB for {size[0]} × {size[1]} pixels"
            f"{f' and {frames} frames' if frames else ''}; {free >> 20:,} MiB are free. Ask for less.",
            retry_after=30,
        )


def _pixels(pipe: Any, size: Size) -> int:
    """Pixels of what comes out."""
    return math.prod(size) * (UPSCALED**2 if is_upscaler(pipe) else 1)


def is_upscaler(pipe: Any) -> bool:
    """Whether a pipeline makes the picture it is given larger."""
    return any(word in type(pipe).__name__ for word in ("Upscale", "SuperResolution"))


def _default(taken: dict[str, Any], name: str) -> Any:
    found = taken[name].default if name in taken else None
    return found if isinstance(found, int | float) else None
