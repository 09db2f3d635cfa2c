"""What `/v1/responses` is asked: items of a conversation, and the fields that say how it is answered."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...errors import InvalidRequest
from ...schema import JSON, Message, ToolCall, explain
from .wire import ModelName, unsupported

LOGPROBS = "message.output_text.logprobs"
EXAMPLE: Any = {"model": "starter-chat", "input": "Hello! What can you do?", "max_output_tokens": 64}


class Piece(BaseModel):
    """A part of a message."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["input_text", "output_text", "text", "refusal", "input_image", "input_audio"]
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = Field(None, description="A `data:` URL; a link where the operator allows them.")
    input_audio: JSON | None = None

    @property
    def part(self) -> JSON:
        """The same as a part of a chat message."""
        match self.type:
            case "input_image":
                return {"type": "image_url", "image_url": {"url": self.image_url or ""}}
            case "input_audio":
                return {"type": "input_audio", "input_audio": self.input_audio}
            case _:
                return {"type": "text", "text": self.text or self.refusal or ""}


class Item(BaseModel):
    """A message, a call that the model made, or what came of it; what the model thought is passed over."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["message", "function_call", "function_call_output", "reasoning"] = "message"
    role: Literal["system", "developer", "user", "assistant"] = "user"
    content: str | tuple[Piece, ...] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | tuple[Piece, ...] | None = None


class TextFormat(BaseModel):
    """How a text is to look."""

    model_config = ConfigDict(extra="ignore")

    format: JSON | None = Field(
        None, description="`text`, `json_object`, or `json_schema` with a schema that is kept to."
    )
    verbosity: str | None = Field(None, description="Taken and not used.")

    @property
    def response_format(self) -> JSON | None:
        """The same as chat completions take it."""
        told = dict(self.format or {"type": "text"})
        if told.get("type") != "json_schema":
            return None if told.get("type") == "text" else told
        del told["type"]
        return {"type": "json_schema", "json_schema": told}


class ResponseRequest(BaseModel):
    """A conversation to be answered, as OpenAI's newer clients ask."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    model: ModelName = None
    input: str | tuple[Item, ...] = Field(description="What the user says, or the items of a conversation.")
    instructions: str | None = Field(None, description="What the model is told before the conversation.")
    previous_response_id: str | None = Field(None, description="The answer whose conversation goes on.")
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = Field(
        None, description="The same seed gives the same answer; OpenAI has no such field."
    )
    text: TextFormat = TextFormat()
    tools: tuple[JSON, ...] | None = Field(
        None, description="Functions to call, for models whose template knows them."
    )
    tool_choice: Any = Field(None, description="`none`, `auto`, `required`, or the function to call.")
    parallel_tool_calls: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    include: tuple[str, ...] | None = Field(None, description=f"`{LOGPROBS}`; other words are passed over.")
    store: bool | None = Field(
        None, description="false: the answer is not kept, and cannot be gone on with; else it is for 30 days."
    )
    stream: bool | None = None
    metadata: dict[str, str] | None = None
    background: bool | None = Field(None, description="Only unset; see `/v1/batches`.")
    conversation: Any = Field(None, description="Only unset; see `previous_response_id`.")
    prompt: JSON | None = Field(None, description="Only unset.")
    user: str | None = Field(None, description="Taken and not used, as are the next ones.")
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    reasoning: JSON | None = None
    service_tier: str | None = None
    stream_options: JSON | None = None
    truncation: Literal["auto", "disabled"] | None = None
    max_tool_calls: int | None = None

    @property
    def said(self) -> tuple[Message, ...]:
        """What is new in the conversation; raises `InvalidRequest`."""
        items = (Item(content=self.input),) if isinstance(self.input, str) else self.input
        told: list[JSON] = []
        for item in items:
            if item.type == "function_call" and told and told[-1].get("tool_calls"):
                told[-1]["tool_calls"].extend(_message(item)["tool_calls"])
            elif item.type != "reasoning":
                told.append(_message(item))
        try:
            return tuple(Message.model_validate(one) for one in told)
        except ValidationError as error:
            raise InvalidRequest(f"input: {explain(error)}") from None

    @property
    def options(self) -> JSON:
        """Parameters of the run; raises `InvalidRequest` for what cannot be honoured."""
        unsupported(background=self.background, conversation=self.conversation, prompt=self.prompt)
        told: JSON = self.model_dump(
            include={"temperature", "top_p", "seed", "parallel_tool_calls"}, exclude_none=True
        )
        named = {
            "max_tokens": self.max_output_tokens,
            "response_format": self.text.response_format,
            "tools": [_tool(tool) for tool in self.tools] if self.tools else None,
            "tool_choice": _choice(self.tool_choice),
            "logprobs": (self.top_logprobs or 0) if LOGPROBS in (self.include or ()) else self.top_logprobs,
        }
        return told | {name: value for name, value in named.items() if value is not None}


def _message(item: Item) -> JSON:
    match item.type:
        case "function_call":
            function = {"name": item.name or "", "arguments": item.arguments or "{}"}
            call = {"id": item.call_id or "", "type": "function", "function": function}
            return {"role": "assistant", "content": "", "tool_calls": [call]}
        case "function_call_output":
            return {"role": "tool", "tool_call_id": item.call_id, "content": _content(item.output)}
        case _:
            role = "system" if item.role == "developer" else item.role
            return {"role": role, "content": _content(item.content)}


def _content(given: str | tuple[Piece, ...] | None) -> Any:
    """Parts that are words alone are one text, so that models that read nothing else take them."""
    if given is None or isinstance(given, str):
        return given or ""
    parts = [piece.part for piece in given]
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def _tool(given: JSON) -> JSON:
    if given.get("type") != "function":
        raise InvalidRequest(
            f"tools: there is no {given.get('type')} here, only tools of the type `function`."
        )
    return {"type": "function", "function": {name: value for name, value in given.items() if name != "type"}}


def _choice(given: Any) -> Any:
    if isinstance(given, dict) and given.keys() == {"type", "name"}:
        return {"type": given["type"], "function": {"name": given["name"]}}
    return given


def answered(text: str, calls: tuple[ToolCall, ...]) -> Message:
    """An answer as the next message of its conversation."""
    return Message(role="assistant", content=text, tool_calls=calls)
