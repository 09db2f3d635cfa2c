"""Functions that a model may call: how they are given, in OpenAI's shapes."""

import json
from typing import Annotated, Literal

from pydantic import Field

from ..schema import JSON, Frozen, JSONObject

NO_PARAMETERS: JSON = {"type": "object", "properties": {}, "additionalProperties": False}


class Function(Frozen):
    name: str = Field(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")
    description: str | None = None
    parameters: JSONObject | None = Field(
        None, description="JSON schema of the arguments; unset: there are none."
    )
    strict: bool | None = Field(
        None, description="Arguments always fit, also where the model chooses to call."
    )

    @property
    def schema_(self) -> JSON:
        """The schema of the arguments."""
        found: JSON = json.loads(self.parameters) if self.parameters else NO_PARAMETERS
        return found


class Tool(Frozen):
    """A function that the model may ask to be called."""

    type: Literal["function"]
    function: Function

    @property
    def told(self) -> JSON:
        """As chat templates read it."""
        function = {"name": self.function.name, "description": self.function.description or ""}
        return {"type": "function", "function": function | {"parameters": self.function.schema_}}


class Named(Frozen):
    name: str


class NamedTool(Frozen):
    """The one function to call."""

    type: Literal["function"]
    function: Named


ToolChoice = Annotated[
    Literal["none", "auto", "required"] | NamedTool,
    Field(description="`auto` lets the model decide; `required`, or the name of one, makes it call."),
]


def offered(
    tools: tuple[Tool, ...], choice: Literal["none", "auto", "required"] | NamedTool
) -> tuple[Tool, ...]:
    """The tools that may be called; raises `ValueError` when one must be, and it is not among them."""
    if choice == "none":
        return ()
    if choice == "required" and not tools:
        raise ValueError("tool_choice: `required` needs `tools`")
    if not isinstance(choice, NamedTool):
        return tools
    found = tuple(tool for tool in tools if tool.function.name == choice.function.name)
    if not found:
        known = ", ".join(tool.function.name for tool in tools) or "there are none"
        raise ValueError(f"tool_choice: {choice.function.name!r} is none of the tools: {known}")
    return found
