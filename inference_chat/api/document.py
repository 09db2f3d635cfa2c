"""What the OpenAPI document says beyond the words of the routes: keys, parameters, fields of forms."""

from typing import Any

from fastapi import FastAPI

from ..runners import OPTIONS
from ..schema import JSON
from .errors import problems

TAGS = [
    {
        "name": "models",
        "description": "What models there are, can do and cost; load and unload them.",
    },
    {"name": "inference", "description": "One input, one answer: text, pictures, clips, sounds, mixed."},
    {"name": "chat", "description": "Conversations that the server keeps, with all their branches."},
    {"name": "openai", "description": "The routes of OpenAI's API, for its clients as they are."},
    {"name": "operations", "description": "How the server is doing."},
]
KEYS = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}
"""Where a key goes; it is asked for where the operator has set `API_KEYS`."""
IDS = {
    "/models": "`name` or `name@version`; a bare name is its default version, else its newest.",
    "/v1/models": "`name` or `name@version`; a bare name is its default version, else its newest.",
    "/chat": "The `session_id` of the conversation.",
    "/evaluations": "As `POST /models/evaluate` gave it.",
    "/inference/batch": "As `POST /inference/batch` gave it.",
    "/media": "The SHA-256 of the file, as `POST /media` gave it.",
    "/v1/files": "As `POST /v1/files` gave it.",
    "/v1/batches": "As `POST /v1/batches` gave it.",
    "/v1/responses": "As `POST /v1/responses` gave it.",
}
"""What `id` in a path is, by how the path begins."""
PARAMETERS = {
    "task": "A Hugging Face task name, as `text-generation`.",
    "tag": "Only models with this tag.",
    "framework": "Only models of this framework, as `transformers`.",
    "status": "Only models in this state.",
    "limit": "How many at most.",
    "offset": "How many to pass over.",
    "sort": "By what; with `-` before it, the other way round.",
    "q": "Words of the name, the description or the tags.",
    "max_memory_mb": "The most memory that it may take, in MiB.",
    "wait": "false: answer 202 at once.",
    "before": "Messages that came before this one, by its id.",
    "after": "The last one of the page before, by its id.",
    "format": "The form of the file.",
    "message_id": "The `id` of the message.",
    "window": "Only the last hour, day or week.",
}
"""What other parameters are, where their route does not say it."""
FIELDS = {
    "request": "The JSON that would be sent without files, as text.",
    "image": "Picture files: PNG, JPEG, WebP, GIF, BMP or TIFF.",
    "video": "Clip files.",
    "audio": "Sound files.",
    "mask": "A picture that is white where `image` is to be changed.",
    "file": "The file.",
}
"""What fields of forms are, likewise."""


def complete(app: FastAPI) -> None:
    """Let the document say what the framework does not find in the routes."""
    written = app.openapi

    def openapi() -> JSON:
        document = written()
        document.setdefault("components", {})["securitySchemes"] = KEYS
        document["security"] = [{}, *({name: []} for name in KEYS)]
        _add_options(document, app.description)
        for path, operations in document["paths"].items():
            for operation in operations.values():
                _tell(operation, path, document["components"].get("schemas", {}))
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # how FastAPI lets its document be extended


def _add_options(document: JSON, about: str) -> None:
    """What may stand in `parameters`: a schema for each task, since it is the task that decides."""
    schemas = document["components"].setdefault("schemas", {})
    for options in dict.fromkeys(OPTIONS.values()):
        schema = options.model_json_schema(ref_template="#/components/schemas/{model}")
        for name, inner in schema.pop("$defs", {}).items():
            schemas.setdefault(name, inner)
        schemas[options.__name__] = schema
    rows = [f"| `{task}` | `{options.__name__}` |" for task, options in OPTIONS.items()]
    table = "\n".join(["| task | schema of its `parameters`, below |", "|---|---|", *rows])
    document["info"]["description"] = f"{about}\n{table}\n"


def _tell(operation: JSON, path: str, schemas: JSON) -> None:
    for parameter in operation.get("parameters", ()):
        if "description" not in parameter:
            parameter["description"] = _about(parameter["name"], path)
    body = operation.get("requestBody", {}).get("content", {})
    if "application/json" in body:
        told = problems(415, openai=path.startswith("/v1/"))
        operation["responses"].setdefault("415", told[415])
    form: JSON = body.get("multipart/form-data", {}).get("schema", {})
    form = schemas.get(form.get("$ref", "").rpartition("/")[2], form)
    for name, field in form.get("properties", {}).items():
        if name in FIELDS:
            field.setdefault("description", FIELDS[name])


def _about(name: str, path: str) -> str:
    if name != "id":
        return PARAMETERS[name]
    begins: Any = max((begin for begin in IDS if path.startswith(f"{begin}/")), key=len)
    return IDS[begins]
