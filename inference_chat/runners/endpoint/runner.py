"""The runner of models that another server runs: it waits, computes nothing, and takes no memory."""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event as Flag
from typing import TYPE_CHECKING, Any, ClassVar, Final

from ...errors import (
    DeadlinePassed,
    EndpointUnavailable,
    InvalidRequest,
    ModelFailed,
    UnsupportedTask,
)
from ...events import Event, Finished, Progress
from ...schema import Request
from ...tasks import Task
from ..base import Runner
from ..checkpoint import Checkpoint, Tensors
from ..device import Placement
from ..diffusion import PictureOptions
from ..embedding import EmbeddingOptions
from ..pieces import Piece
from ..speech import SpeechOptions
from ..text import TextOptions
from ..voice import VoiceOptions
from . import hearing
from .asking import chatted, completed, drawn, is_chat, said, turns
from .breaker import Breaker
from .line import TICK, Line
from .remote import Remote

if TYPE_CHECKING:
    from .client import Client

TASKS_THERE: Final = (
    Task.TEXT_GENERATION,
    Task.IMAGE_TEXT_TO_TEXT,
    Task.VISUAL_QUESTION_ANSWERING,
    Task.IMAGE_TO_TEXT,
    Task.VIDEO_TEXT_TO_TEXT,
    Task.ANY_TO_ANY,
    Task.AUTOMATIC_SPEECH_RECOGNITION,
    Task.TEXT_TO_IMAGE,
    Task.TEXT_TO_SPEECH,
    Task.FEATURE_EXTRACTION,
)
"""What an endpoint can be asked for."""
ATTEMPTS: Final = 3
LONGEST_PAUSE: Final = 8.0
WAITING: Final = Progress(phase="working", detail="waiting for the endpoint")


class EndpointRunner(Runner):
    """One model of one endpoint; any number of requests at once, each on a thread of its own."""

    pause: ClassVar[float] = 0.5
    """Seconds before the second attempt; before the third it is twice as long."""

    def __init__(self, remote: Remote) -> None:
        bare = Checkpoint(Path(remote.name), {}, (), Tensors(0, frozenset()))
        super().__init__(bare, Placement("endpoint", ""))
        self.remote = remote
        self._breaker = Breaker(remote.name)

    def load(self) -> None:
        """Nothing is loaded; whether the endpoint answers is found out when it is asked."""

    def unload(self) -> None:
        """Nothing was loaded."""

    def tokens(self, text: str) -> tuple[Piece, ...]:
        raise UnsupportedTask(f"{self.remote.name} runs on another server, which does not show its tokens.")

    def run(self, request: Request, stop: Flag) -> Iterator[Event]:
        """Ask the endpoint; again, after a pause, where it is not there, until the first word has come.

        Between two words `WAITING` is told every few hundredths of a second, so that no step is long.
        """
        for attempt in range(ATTEMPTS):
            self._breaker.check()
            told = False
            try:
                for event in self._once(request, stop):
                    told = told or event is not WAITING
                    yield event
            except (EndpointUnavailable, DeadlinePassed) as error:
                self._breaker.bad()
                pause = self._pause(error, attempt)
                if told or pause is None:
                    raise
            except (InvalidRequest, ModelFailed):  # it has answered, if only to refuse
                self._breaker.good()
                raise
            else:
                self._breaker.good()
                return
            yield from self._wait(pause, stop)
            if stop.is_set():
                yield _cancelled(request)
                return

    def _pause(self, error: Exception, attempt: int) -> float | None:
        """Seconds until another attempt (exponential back-off with jitter); None where there is none."""
        if attempt + 1 == ATTEMPTS or not isinstance(error, EndpointUnavailable):
            return None
        pause = max(error.retry_after, self.pause * 2**attempt * random.uniform(0.75, 1.25))
        return pause if pause <= LONGEST_PAUSE else None

    def _wait(self, seconds: float, stop: Flag) -> Iterator[Event]:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not stop.wait(TICK):
            yield WAITING

    def _once(self, request: Request, stop: Flag) -> Iterator[Event]:
        """One attempt."""
        line: Line[Event] = Line()
        ended = False
        for event in line.listen(lambda: self._asked(request, line), stop):
            ended = ended or isinstance(event, Finished)
            yield event or WAITING
        if not ended:
            yield _cancelled(request)

    def _asked(self, request: Request, line: "Line[Event]") -> Iterator[Event]:
        """Ask, and read the answer; on the thread of the line."""
        from .client import Client

        with Client(self.remote, line) as client:
            try:
                yield from self._events(request, client)
            except (KeyError, TypeError, ValueError, AttributeError, LookupError, EOFError) as error:
                raise ModelFailed(
                    f"{self.remote.name}: its endpoint does not answer in the shape of OpenAI's API."
                ) from error

    def _events(self, request: Request, client: "Client") -> Iterator[Event]:
        options, model = request.options, self.remote.endpoint.model
        match options:
            case SpeechOptions():
                yield from self._transcribed(request, options, client)
            case TextOptions():
                yield from self._written(request, options, client)
            case PictureOptions():
                body = drawn(request, options, model) | {"response_format": "b64_json"}
                yield from hearing.pictures(self._first(client, "images/generations", body), options.seed)
            case EmbeddingOptions():
                body = {"model": model, "input": said(request), "encoding_format": "float"}
                answer = client.send("POST", "embeddings", json=body).json()
                yield from hearing.vector(answer, normalize=options.normalize)
            case VoiceOptions():
                told = {"model": model, "input": said(request), "voice": "alloy", "response_format": "wav"}
                speed = {"speed": options.speed} if options.speed != 1 else {}
                yield from hearing.sound(client.send("POST", "audio/speech", json=told | speed).content)
            case _:
                known = ", ".join(TASKS_THERE)
                raise UnsupportedTask(
                    f"{self.remote.name} runs on another server, where {known} can be asked."
                )

    def _written(self, request: Request, options: TextOptions, client: "Client") -> Iterator[Event]:
        answers = hearing.Answers(options.n, self.remote.name)
        model = self.remote.endpoint.model
        if not is_chat(request):
            yield from answers.completion(client.stream("completions", completed(request, options, model)))
            return
        client.extra = {"model": model, **chatted(options), "stream_options": {"include_usage": True}}
        yield from answers.chat(client.chat_completion(turns(request), model=model, stream=True))

    def _first(self, client: "Client", route: str, body: dict[str, Any]) -> Any:
        """The answer to a body; newer models of OpenAI refuse to be told the form, and have no other."""
        try:
            return client.send("POST", route, json=body).json()
        except InvalidRequest as error:
            if "response_format" not in error.detail:
                raise
            return client.send(
                "POST", route, json={k: v for k, v in body.items() if k != "response_format"}
            ).json()

    def _transcribed(self, request: Request, options: SpeechOptions, client: "Client") -> Iterator[Event]:
        medium = request.media[0]
        if len(request.media) > 1 or medium.kind != "audio":
            raise UnsupportedTask(f"{self.remote.name} hears one sound at a time; send each by itself.")
        form = {"model": self.remote.endpoint.model, "response_format": "verbose_json"}
        if options.language:
            form["language"] = options.language
        name = f"sound.{medium.media_type.partition('/')[2].removeprefix('x-')}"
        files = {"file": (name, medium.read(), medium.media_type)}
        route = "audio/translations" if options.translate else "audio/transcriptions"
        try:
            answer = client.send("POST", route, data=form, files=files)
        except InvalidRequest as error:
            if "response_format" not in error.detail and "verbose_json" not in error.detail:
                raise
            answer = client.send("POST", route, data=form | {"response_format": "json"}, files=files)
        yield from hearing.heard(answer.json())


def _cancelled(request: Request) -> Finished:
    count = getattr(request.options, "n", 1)
    return Finished(finish_reasons=("cancelled",) * count)
