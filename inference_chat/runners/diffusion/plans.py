"""From a request to the call of a pipeline: everything is checked and completed before the first step."""

import math
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from PIL import Image

from ...errors import InvalidRequest
from ...media import open_image
from ...schema import Request
from ..device import memory_free
from .abilities import Way
from .fitting import Bounds, Fitting, Need, Shape
from .inputs import fitted, mask_of, unread
from .meter import Cost, Meter
from .options import ClipOptions, Drawing, EditOptions, PictureOptions
from .sizes import Canvas, Size, canvas_of, config_of, fps_of, frames_like, frames_of, parameters_of, side_of

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
    cost: Cost
    scheduler: Any
    notes: tuple[str, ...] = ()
    frames: int = 0
    fps: float = 0.0
    tiled: bool = False
    original: Any = None
    mask: Any = None


def plan(pipe: Any, way: Way, request: Request, name: str, meter: Meter, patience: float) -> Plan:
    """What to call, for a pipeline that does `way`; nothing in it may take longer than `patience` seconds.

    Raises `InvalidRequest` for what the model cannot do, `BadMedia`, and for sizes that take too much here
    `TooLarge` and `OutOfMemory`.
    """
    options = request.options
    assert isinstance(options, Drawing)
    notes: list[str] = []
    canvas, steps = canvas_of(pipe), _steps(pipe, options, name)
    sent = _sent(pipe, way, request, name)
    count = options.n if isinstance(options, PictureOptions) else 1
    deadline = request.timeout_ms / 1000 if request.timeout_ms else None
    bounds = Bounds(patience, deadline, memory_free())
    fitting = _fitting(pipe, name, canvas, meter, bounds, _twice(pipe, options), steps * count)
    shape = _shape(pipe, options, canvas, fitting, sent, notes, name)
    size, frames, fps = shape.size, shape.frames, 0.0
    given: dict[str, Any] = {"num_inference_steps": steps, "width": size[0], "height": size[1]}
    picture = mask = None
    if sent is not None:
        picture, mask = fitted(sent, size), _mask(request, options, size)
        given |= {"image": picture, "mask_image": mask}
    given |= _prompt(pipe, request.prompt or "", options, notes, name)
    given |= {"strength": getattr(options, "strength", None), "guidance_scale": options.guidance_scale}
    if isinstance(options, ClipOptions):
        fps = options.fps or fps_of(pipe, frames)
        given |= {"num_frames": frames, "video_length": frames, "fps": round(fps), "frame_rate": fps}
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
        cost=meter.cost(size, frames, _twice(pipe, options)),
        scheduler=scheduler,
        notes=tuple(notes),
        frames=frames,
        fps=fps,
        tiled=_pixels(pipe, size) > max(UNTILED, TILED_BEYOND * math.prod(canvas.native)),
        original=picture,
        mask=mask,
    )


def _sent(pipe: Any, way: Way, request: Request, name: str) -> Image.Image | None:
    """The picture to begin with."""
    if way in ("draw", "film"):
        return None
    files = [one for one in request.media if one.kind == "image"]
    sent = open_image(files[0].read())
    if is_upscaler(pipe) and max(sent.size) > LARGEST_UPSCALED:
        raise InvalidRequest(
            f"{name} enlarges pictures of at most {LARGEST_UPSCALED} pixels a side, "
            f"not {sent.width} × {sent.height}."
        )
    return sent


def _shape(
    pipe: Any,
    options: Drawing,
    canvas: Canvas,
    fitting: Fitting,
    sent: Image.Image | None,
    notes: list[str],
    name: str,
) -> Shape:
    """The size to draw and the number of frames: what was asked for, else what can be done here in time."""
    size_asked = options.width is not None or options.height is not None
    if sent is not None and is_upscaler(pipe):
        size_asked, size = True, Canvas(native=sent.size, multiple=8).nearest(sent.size)
    elif sent is None or size_asked:
        size = canvas.checked(name, options.width, options.height)
    else:
        size = canvas.like(sent.size)
    count = options.num_frames if isinstance(options, ClipOptions) else None
    frames = frames_of(pipe, name, count) if isinstance(options, ClipOptions) else 0
    shape, note = fitting.fitted(Shape(size, frames), size_asked=size_asked, frames_asked=count is not None)
    if note:
        notes.append(note)
    if sent is not None and shape.size != sent.size:
        width, height = shape.size
        notes.append(f"The picture was brought from {sent.width} × {sent.height} to {width} × {height}.")
    return shape


def _mask(request: Request, options: Drawing, size: Size) -> Image.Image | None:
    named = options.mask if isinstance(options, EditOptions) else None
    found = request.find(named) if named else None
    return mask_of(found, size) if found else None


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


def _fitting(
    pipe: Any, name: str, canvas: Canvas, meter: Meter, bounds: Bounds, twice: bool, rounds: int
) -> Fitting:
    """What is judged by: seconds by the meter, bytes by the work space of the denoiser and of the decoder."""

    def need(shape: Shape) -> Need:
        side = UPSCALED if is_upscaler(pipe) else 1
        cost = meter.cost((shape.size[0] * side, shape.size[1] * side), shape.frames, twice)
        memory = _bytes(pipe, canvas, shape)
        return Need(cost.step, cost.longest, cost.total(rounds), memory)

    return Fitting(name, canvas, need, lambda frames: frames_like(pipe, frames), bounds)


def _bytes(pipe: Any, canvas: Canvas, shape: Shape) -> int:
    """The work space of the denoiser, and of the decoder in tiles."""
    config = config_of(pipe)
    heads = (getattr(config, name, None) for name in ("num_attention_heads", "attention_head_dim"))
    blocks = getattr(config, "block_out_channels", None)
    width = blocks[0] if blocks else math.prod(one for one in heads if isinstance(one, int))
    size, frames = shape
    tokens = math.prod(size) * max(1, frames // 4) // side_of(pipe) ** 2
    pixels = _pixels(pipe, size)
    decoded = min(pixels, max(UNTILED, TILED_BEYOND * math.prod(canvas.native))) * max(1, min(frames, 8))
    return tokens * width * 4 * 40 + int(decoded) * 128 * 4 * 4 + pixels * max(1, frames) * 16


def _twice(pipe: Any, options: Drawing) -> bool:
    """Whether each step looks twice, with the prompt and without it."""
    taken = parameters_of(pipe)
    if "true_cfg_scale" in taken:
        return bool(options.negative_prompt) or float(_default(taken, "true_cfg_scale") or 1) > 1
    usual = _default(taken, "guidance_scale") or _default(taken, "max_guidance_scale") or 0
    return float(options.guidance_scale or usual) > 1


def _pixels(pipe: Any, size: Size) -> int:
    """Pixels of what comes out."""
    return math.prod(size) * (UPSCALED**2 if is_upscaler(pipe) else 1)


def is_upscaler(pipe: Any) -> bool:
    """Whether a pipeline makes the picture it is given larger."""
    return any(word in type(pipe).__name__ for word in ("Upscale", "SuperResolution"))


def _default(taken: dict[str, Any], name: str) -> Any:
    found = taken[name].default if name in taken else None
    return found if isinstance(found, int | float) else None
