"""What is offered to assistants: functions with a name, a description and arguments that are checked."""

import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from .errors import InvalidRequest
from .schema import JSON, explain

Call = Callable[..., AsyncIterator[Any]]


@dataclass(frozen=True)
class Tool:
    """One function; `call(request, **arguments)` gives its values as they grow, the last one whole.

    `names` are those of the values where it gives several at once.
    """

    name: str
    description: str
    arguments: type[BaseModel]
    call: Call
    names: tuple[str, ...] = ()

    @property
    def schema(self) -> JSON:
        """The arguments as JSON schema."""
        return self.arguments.model_json_schema()

    def check(self, given: JSON) -> JSON:
        """The arguments that were given; `InvalidRequest` when they do not fit."""
        try:
            return dict(self.arguments.model_validate(given, strict=True))
        except ValidationError as error:
            raise InvalidRequest(explain(error)) from None


def tool_of(
    function: Callable[..., Any],
    name: str,
    call: Call,
    *,
    told: Mapping[str, str],
    instead: Mapping[Any, Any],
    names: tuple[str, ...] = (),
) -> Tool:
    """A tool with the signature and the docstring of `function`.

    `told` describes arguments by their names, `instead` has the types that go over this wire in place
    of others. An argument called `request` is the door's.
    """
    hints = get_type_hints(function)
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name != "request":
            default = ... if parameter.default is parameter.empty else parameter.default
            about = Field(default, description=told.get(parameter.name))
            fields[parameter.name] = (_replaced(hints[parameter.name], instead), about)
    made: Any = create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
    return Tool(name, inspect.cleandoc(function.__doc__ or ""), made, call, names)


def _replaced(hint: Any, instead: Mapping[Any, Any]) -> Any:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return reduce(or_, (_replaced(part, instead) for part in parts))
    if origin is list:
        return list[_replaced(parts[0], instead)]  # type: ignore[misc]  # made at run time
    return instead.get(hint, hint)
