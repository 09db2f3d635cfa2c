"""Models that another server runs: looked at before they are registered, and found again to be asked."""

from typing import Final

from pydantic import ValidationError

from ..errors import EndpointUnavailable, Forbidden, InferenceChatError, InvalidModel, InvalidRequest
from ..media.links import Resolver, look_up
from ..registry.catalog import ModelRecord
from ..registry.endpoint import Endpoint
from ..runners import TASKS_THERE, Remote
from ..schema import JSON, explain
from ..settings import Settings
from ..tasks import TASKS, Task

SHOWN: Final = 8


class SeveralModels(InvalidModel):
    """The endpoint serves several models, or others than what was named; `choices` are their names."""

    def __init__(self, detail: str, choices: tuple[str, ...]) -> None:
        super().__init__(detail)
        self.choices = choices


class Endpoints:
    """As the operator's settings allow them."""

    def __init__(self, settings: Settings, resolve: Resolver = look_up) -> None:
        self._settings = settings
        self._resolve = resolve

    def remote(self, name: str, endpoint: Endpoint) -> Remote:
        """How to reach an endpoint; raises `Forbidden` for a key that is not meant for its host."""
        return Remote(
            name=name,
            endpoint=endpoint,
            key=lambda: self._key(endpoint),
            networks=self._settings.endpoint_networks,
            resolve=self._resolve,
        )

    def of(self, record: ModelRecord) -> Remote:
        """The same for a registered model."""
        if record.endpoint is None:
            raise InvalidModel(f"{record.id} is said to run on another server, and no `endpoint` says where.")
        return self.remote(record.id, record.endpoint)

    def looked_at(self, given: JSON) -> JSON:
        """The fields of a registration, once the endpoint has answered; blocks until then.

        Raises `Forbidden`, `InvalidRequest`, and `InvalidModel` that says what is wrong and would work.
        """
        endpoint = _endpoint(given)
        served = self.check(str(given.get("name", "")), endpoint)
        chosen = _chosen(endpoint, served)
        tasks = tuple(given.get("tasks") or ()) or tuple(chosen.get("tasks") or ())
        found = endpoint.model_copy(update={"model": chosen["id"]})
        return read(found, tuple(task for task in tasks if isinstance(task, str)))

    def read(self, given: JSON) -> JSON:
        """The same without asking the endpoint."""
        return read(
            _endpoint(given), tuple(task for task in given.get("tasks") or () if isinstance(task, str))
        )

    def check(self, name: str, endpoint: Endpoint) -> list[JSON]:
        """What the endpoint serves, asked now; raises `Forbidden`, `InvalidModel`."""
        from ..runners.endpoint.client import listed  # the hub's client is slow to import

        try:
            return listed(self.remote(name or "the model", endpoint))
        except (Forbidden, InvalidModel):
            raise
        except EndpointUnavailable as error:
            raise InvalidModel(f"{error.detail} Nothing was changed.") from error
        except InferenceChatError as error:
            raise InvalidModel(error.detail) from error

    def _key(self, endpoint: Endpoint) -> str | None:
        if endpoint.key_env is None:
            return None
        key = self._settings.endpoint_key(endpoint.key_env, endpoint.host)
        if key is None:
            raise InvalidModel(f"The variable {endpoint.key_env} is not set here; set it to the key.")
        return key.get_secret_value()


def _endpoint(given: JSON) -> Endpoint:
    try:
        return Endpoint.model_validate(given["endpoint"])
    except ValidationError as error:
        raise InvalidRequest(explain(error, "endpoint")) from None


def read(endpoint: Endpoint, tasks: tuple[str, ...]) -> JSON:
    """What is known of a model by its endpoint; it writes text where nothing else is said."""
    known = [task.value for task in Task if task in TASKS_THERE and task in tasks]
    if tasks and not known:
        raise InvalidModel(f"tasks: of another server {', '.join(TASKS_THERE)} can be asked.")
    does = sorted(known or [Task.TEXT_GENERATION.value], key=lambda task: task != tasks[0] if tasks else 0)
    words = [TASKS[Task(task)].word for task in does]
    talks = ["Chat"] if Task.TEXT_GENERATION in does else []
    return {
        "source": "endpoint",
        "framework": "endpoint",
        "endpoint": endpoint.model_dump(),
        "tasks": tuple(does),
        "model_type": words[0],
        "capabilities": tuple(dict.fromkeys([words[0], *talks, *words[1:]])),
        "memory_estimate": 0,
        "file_size": 0,
    }


def _chosen(endpoint: Endpoint, served: list[JSON]) -> JSON:
    """The one that is meant of those that are served; raises `InvalidModel` with those that there are."""
    names = [str(one["id"]) for one in served]
    wanted = endpoint.model
    for one, name in zip(served, names, strict=True):
        if wanted and wanted in (name, name.partition("@")[0]):
            return one | {"id": wanted}
    if not wanted and len(served) == 1:
        return served[0]
    shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    what = f"does not serve {wanted!r}" if wanted else "serves several models; choose one by `model`"
    raise SeveralModels(f"endpoint.model: the endpoint {what}. There are: {shown or 'none'}.", tuple(names))
