"""What the routes below `/v1` answer with, for the OpenAPI document; OpenAI's clients read the same."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ...schema import JSON, ToolCall


class Shape(BaseModel):
    """More fields may come."""

    model_config = ConfigDict(extra="allow")


class OpenAIModel(Shape):
    id: str = Field(description="`name@version`.")
    object: Literal["model"]
    created: int = Field(description="Seconds since 1970, as all times below `/v1`.")
    owned_by: str
    tasks: list[str]


class OpenAIModels(Shape):
    object: Literal["list"]
    data: list[OpenAIModel]


class CachedTokens(Shape):
    cached_tokens: int = Field(description="How many of them had been read before and were not read again.")


class TokenUsage(Shape):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens


class ChatAnswer(Shape):
    role: Literal["assistant"]
    content: str | None
    tool_calls: list[ToolCall] | None = None
    audio: JSON | None = Field(
        None, description="`id`, `data` in base64, `transcript`: where `modalities` asked for it."
    )
    images: list[JSON] | None = Field(
        None, description="Pictures that `auto` had drawn: `image_url` with a `url` of type `data:`."
    )


class ChatChoice(Shape):
    index: int
    message: ChatAnswer
    finish_reason: Literal["stop", "length", "tool_calls"]
    logprobs: JSON | None


class ChatCompletion(Shape):
    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: TokenUsage


class CompletionChoice(Shape):
    index: int
    text: str
    finish_reason: Literal["stop", "length", "tool_calls"]
    logprobs: JSON | None


class Completion(Shape):
    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: TokenUsage


class Embedding(Shape):
    object: Literal["embedding"]
    index: int
    embedding: list[float] | str = Field(
        description="With `base64`, little-endian 32-bit floats in that encoding."
    )


class Embeddings(Shape):
    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: JSON


class Images(Shape):
    created: int
    data: list[JSON] = Field(description="Each with `b64_json`, a PNG, or `url`, a data: URL of it.")


class Transcription(Shape):
    text: str
    segments: list[JSON] | None = Field(
        None, description="With `verbose_json`: `id`, `start`, `end`, `text`."
    )


class FileShape(Shape):
    id: str
    object: Literal["file"]
    bytes: int
    created_at: int
    filename: str
    purpose: str


class FileList(Shape):
    object: Literal["list"]
    data: list[FileShape]
    has_more: bool


class FileDeleted(Shape):
    id: str
    object: Literal["file"]
    deleted: bool


class BatchCounts(Shape):
    total: int
    completed: int
    failed: int


class BatchShape(Shape):
    id: str
    object: Literal["batch"]
    endpoint: str
    status: Literal["in_progress", "completed", "failed", "cancelled"]
    errors: JSON | None = Field(description="What is wrong with lines, where it failed at once.")
    input_file_id: str
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    request_counts: BatchCounts
    metadata: dict[str, str] | None


class BatchList(Shape):
    object: Literal["list"]
    data: list[BatchShape]
    has_more: bool


class ResponseShape(Shape):
    """An answer, as the clients' `responses.create` reads it."""

    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["completed", "incomplete", "failed"]
    model: str
    output: list[JSON] = Field(description="Messages with `output_text` parts, and calls of functions.")
    usage: JSON | None
    error: JSON | None
    incomplete_details: JSON | None
    previous_response_id: str | None


class ResponseDeleted(Shape):
    id: str
    object: Literal["response"]
    deleted: bool


def answers(shape: type[Shape], *streams: str) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's description of a good answer: JSON of that shape, and other media types beside it."""
    others = {kind: {"schema": {"type": "string"}} for kind in streams}
    return {200: {"model": shape} | ({"content": others} if others else {})}
