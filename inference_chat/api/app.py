"""Every route of the server on one page, what stands before them, and the page of the UI behind."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.responses import FileResponse, Response
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount, Route

from .. import __version__
from ..logs import request_level
from ..service import Service
from ..tools import Tool
from . import (
    auth,
    batches,
    chat,
    compare,
    curation,
    evaluations,
    hub,
    inference,
    inside,
    media,
    models,
    operations,
    page,
    websocket,
)
from .docs import add_docs
from .document import TAGS, complete
from .errors import HANDLERS, OtherMethods, problems
from .middleware import BodyLimit, Envelope, KnownHosts, SameOrigin
from .openai import audio, completions, others, responses, shapes
from .openai import batches as lines
from .openai import chat as completions_chat
from .websocket import NO_VIEWS, Views

if TYPE_CHECKING:
    import gradio as gr

    from .mcp import Door, Tools

DESCRIPTION = """Chat with torch models, and everything around it.

Errors are problem details (RFC 9457) with a stable `code`. When the operator has set keys, send one as
`Authorization: Bearer KEY` or `X-API-Key: KEY`.
"""
MIB = 1 << 20
STREAMED = {
    ("POST", f"/{path}")
    for path in (
        *(f"inference/{group}" for group in ("text", "image", "video", "multimodal")),
        *(f"chat/{{id}}/{turn}" for turn in ("message", "regenerate", "continue")),
        *("models/compare", "v1/chat/completions", "v1/completions", "v1/responses"),
    )
}
"""Routes that answer with server-sent events when `stream` is set."""
EVENT = {
    "type": "object",
    "description": "`event` names the frame, `data` is the frame as JSON.",
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
    "required": ["data"],
}
TRANSCRIBED = ("text/plain", "text/event-stream")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def create_app(
    service: Service,
    demo: "gr.Blocks | None" = None,
    *,
    views: Views = NO_VIEWS,
    tools: "Tools | None" = None,
    **mount: Any,
) -> FastAPI:
    """The whole server: every API, and at `/` the page `demo`; `mount` goes to Gradio as it stands.

    `views` are other ways for the chat socket to tell a turn, by their names; `tools` gives what the
    page offers to assistants.
    """

    settings = service.settings
    door = _door(service, tools(demo)) if tools and demo is not None else None

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await service.start()
        try:
            async with door.run() if door else contextlib.nullcontext():
                yield
        finally:
            await service.stop()

    app = FastAPI(
        title="Inference Chat",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_tags=TAGS,
        exception_handlers=HANDLERS,
        # The first stands outermost.
        middleware=[
            Middleware(Envelope, patience=settings.reader_timeout_seconds, level=request_level(settings)),
            Middleware(
                CORSMiddleware,  # without it, Gradio's own would let in the pages of all sites
                allow_origins=settings.cors_origins,
                allow_methods=METHODS,
                allow_headers=["*"],
                expose_headers=["X-Request-ID", "Retry-After"],
            ),
            *([] if service.access.keyed else [Middleware(KnownHosts, names=settings.allowed_hosts)]),
            Middleware(SameOrigin, origins=settings.cors_origins),
            Middleware(auth.Authentication, service=service),
            Middleware(BodyLimit, limit=settings.max_body_mb * MIB),
        ],
    )
    app.state.service = service
    service.batches.kinds |= {batches.KIND: batches.kind_of(service), **lines.kinds_of(service)}
    app.state.views = views
    _add_routes(app)
    add_docs(app)
    complete(app)
    _refuse_other_methods(app)
    if door is not None:
        app.router.routes.extend(Route(path, door) for path in ("/gradio_api/mcp", "/gradio_api/mcp/"))
    if demo is not None:
        _mount(app, demo, service, mount)
    return app


def _add_routes(app: FastAPI) -> None:
    def route(method: str, path: str, endpoint: Any, tag: str, *statuses: int, **more: Any) -> None:
        more.setdefault("operation_id", endpoint.__name__)
        told = problems(401, 422, 429, 500, *statuses, openai=tag == "openai") | more.pop("responses", {})
        if (method, path) in STREAMED:
            told.setdefault(200, {})["content"] = {"text/event-stream": {"schema": EVENT}}
        app.add_api_route(path, endpoint, methods=[method], tags=[tag], responses=told, **more)

    model, reply = models.ModelAnswer, chat.Reply
    begun = {202: {"model": model, "description": "It is being loaded."}}
    loaded: dict[str, Any] = {"response_model": model, "responses": begun}
    unready = {503: {"model": operations.Readiness, "description": "It cannot be served now."}}
    ready: dict[str, Any] = {"response_model": operations.Readiness, "responses": unready}
    route("GET", "/models", models.list_models, "models")
    route("POST", "/models", models.register_model, "models", 403, 409, 413, 503, status_code=201)
    route("GET", "/models/search", models.search_models, "models")
    route("GET", "/models/hub", hub.search_hub, "models", 503)
    route("POST", "/models/check", curation.check_model, "models", 403, 413)
    route("GET", "/models/export", curation.export_models, "models")
    route("POST", "/models/import", curation.import_models, "models", 403, 413, 503)
    compared: dict[str, Any] = {"response_model": compare.Compared}
    route(
        "POST", "/models/compare", compare.compare_models, "models", 400, 403, 404, 413, 415, 503, **compared
    )
    route("POST", "/models/recommend", compare.recommend_models, "models", 503)
    route("POST", "/models/vote", compare.vote, "models", 503)
    route("GET", "/models/ratings", compare.model_ratings, "models")
    begun_in: dict[str, Any] = {"openapi_extra": evaluations.FORM, "status_code": 202}
    route("POST", "/models/evaluate", evaluations.start_evaluation, "models", 404, 413, 503, **begun_in)
    route("GET", "/models/{id}", models.get_model, "models", 404)
    route("PATCH", "/models/{id}", curation.edit_model, "models", 403, 404, 413, 503)
    route("DELETE", "/models/{id}", models.delete_model, "models", 403, 404, 409, 503, status_code=204)
    route("GET", "/models/{id}/versions", models.model_versions, "models", 404)
    route("POST", "/models/{id}/load", models.load_model, "models", 404, 503, **loaded)
    route("POST", "/models/{id}/unload", models.unload_model, "models", 404, 409)
    route("POST", "/models/{id}/pin", curation.pin_model, "models", 403, 404, 409, 503)
    route("POST", "/models/{id}/unpin", curation.unpin_model, "models", 403, 404, 503)
    route("POST", "/models/{id}/promote", curation.promote_model, "models", 403, 404, 503)
    route("POST", "/models/{id}/rollback", curation.roll_back_model, "models", 403, 404, 409, 503)
    fetching: dict[str, Any] = {"status_code": 202}
    route("POST", "/models/{id}/download", hub.start_download, "models", 403, 404, 409, 503, **fetching)
    route("GET", "/models/{id}/download", hub.get_download, "models", 404)
    route("DELETE", "/models/{id}/download", hub.cancel_download, "models", 403, 404)
    route("POST", "/models/{id}/tokens", inside.split_text, "models", 404, 413, 503, 504)
    route("POST", "/models/{id}/saliency", inside.show_saliency, "models", 400, 404, 413, 415, 503, 504)

    route("GET", "/evaluations", evaluations.list_evaluations, "models")
    route("GET", "/evaluations/sets", evaluations.list_sets, "models")
    route("GET", "/evaluations/{id}", evaluations.get_evaluation, "models", 404)
    route("POST", "/evaluations/{id}/cancel", evaluations.cancel_evaluation, "models", 404, 503)
    route("POST", "/evaluations/{id}/resume", evaluations.resume_evaluation, "models", 404, 503)
    route("DELETE", "/evaluations/{id}", evaluations.delete_evaluation, "models", 404, 503, status_code=204)

    answer = inference.Answer
    failures: tuple[int, ...] = (400, 403, 404, 413, 415, 503, 504)
    route("POST", "/inference/text", inference.infer_text, "inference", *failures, response_model=answer)
    for name, infer in (
        ("image", inference.infer_image),
        ("video", inference.infer_video),
        ("multimodal", inference.infer_multimodal),
    ):
        more: dict[str, Any] = {"response_model": answer, "openapi_extra": inference.MEDIA_FORM}
        route("POST", f"/inference/{name}", infer, "inference", *failures, **more)
    many: dict[str, Any] = {"response_model": batches.BatchAnswer}
    taken = {202: {"model": batches.BatchAnswer, "description": "It is being worked on."}}
    route("POST", "/inference/batch", batches.infer_batch, "inference", 413, 503, **many, responses=taken)
    route("GET", "/inference/batch/{id}", batches.get_batch, "inference", 404, 503, **many)
    route("POST", "/inference/batch/{id}/cancel", batches.cancel_batch, "inference", 404, 503, **many)

    route("POST", "/media", media.keep_media, "inference", 400, 413, 415, 503, status_code=201)
    route("GET", "/media/{id}", media.show_media, "inference", 404, response_class=FileResponse)

    failures = (404, 409, 413, 503)
    route("POST", "/chat/start", chat.start_chat, "chat", 404, 413, 503, status_code=201)
    route("GET", "/chat", chat.list_chats, "chat")
    packed: Any = {"requestBody": {"required": True, "content": {"application/zip": {}}}}
    route(
        "POST",
        "/chat/import/archive",
        chat.import_archive,
        "chat",
        413,
        503,
        status_code=201,
        openapi_extra=packed,
    )
    route("POST", "/chat/import", chat.import_chat, "chat", 413, 503, status_code=201)
    route("GET", "/chat/{id}", chat.get_chat, "chat", 404)
    route("PATCH", "/chat/{id}", chat.change_chat, "chat", 404, 503)
    route("DELETE", "/chat/{id}", chat.delete_chat, "chat", 404, 503, status_code=204)
    route("POST", "/chat/{id}/restore", chat.restore_chat, "chat", 404, 503)
    route("POST", "/chat/{id}/message", chat.send_message, "chat", *failures, response_model=reply)
    route("POST", "/chat/{id}/regenerate", chat.regenerate, "chat", *failures, response_model=reply)
    route("POST", "/chat/{id}/continue", chat.continue_reply, "chat", *failures, response_model=reply)
    route("POST", "/chat/{id}/stop", chat.stop_reply, "chat", 404)
    route("POST", "/chat/{id}/clear", chat.clear_chat, "chat", 404, 503)
    route("POST", "/chat/{id}/select", chat.select_branch, "chat", 404, 503)
    route("GET", "/chat/{id}/history", chat.history, "chat", 404)
    route("GET", "/chat/{id}/export", chat.export_chat, "chat", 404)
    route("PUT", "/chat/{id}/messages/{message_id}/feedback", chat.give_feedback, "chat", 404, 503)
    socket: dict[str, Any] = {"status_code": 101, "response_class": Response}
    route("GET", "/chat/{id}/ws", websocket.only_a_socket, "chat", 426, **socket)
    app.add_api_websocket_route("/chat/{id}/ws", websocket.chat_socket)

    _add_openai(route)

    route("GET", "/cache/stats", operations.cache_stats, "operations")
    route("POST", "/cache/clear", operations.clear_cache, "operations")
    route("GET", "/healthz", operations.healthz, "operations")
    route("GET", "/readyz", operations.readyz, "operations", **ready)
    route("GET", "/stats", operations.stats, "operations")
    route("GET", "/metrics", operations.metrics, "operations", response_class=operations.MetricsPage)

    for method, path, endpoint in (
        ("GET", "/signin", auth.sign_in_page),
        ("POST", "/signin", auth.sign_in),
        ("POST", "/signout", auth.sign_out),
    ):
        app.add_api_route(path, endpoint, methods=[method], include_in_schema=False)


def _add_openai(route: Callable[..., None]) -> None:
    """The routes below `/v1`, each with the shape of its answer."""

    def v1(method: str, path: str, endpoint: Any, shape: Any, *statuses: int, **more: Any) -> None:
        kinds = more.pop("kinds", ())
        answers = shapes.answers(shape, *kinds) if shape else {}
        told: dict[str, Any] = {"responses": answers, "response_model": None}
        route(method, f"/v1/{path}", endpoint, "openai", *statuses, **told | more)

    failures = (400, 404, 413, 415, 503, 504)
    named: dict[str, Any] = {"operation_id": "list_openai_models"}
    v1("GET", "models", others.list_models, shapes.OpenAIModels, **named)
    v1("GET", "models/{id}", others.retrieve_model, shapes.OpenAIModel, 404)
    v1("POST", "chat/completions", completions_chat.create_chat_completion, shapes.ChatCompletion, *failures)
    v1("POST", "completions", completions.create_completion, shapes.Completion, *failures)
    v1("POST", "responses", responses.create_response, shapes.ResponseShape, *failures)
    v1("GET", "responses/{id}", responses.retrieve_response, shapes.ResponseShape, 404, 503)
    v1("DELETE", "responses/{id}", responses.delete_response, shapes.ResponseDeleted, 404, 503)
    v1("POST", "embeddings", others.create_embeddings, shapes.Embeddings, *failures)
    v1("POST", "images/generations", others.create_image, shapes.Images, *failures)
    text: dict[str, Any] = {"kinds": ("text/plain",)}
    heard = shapes.Transcription
    v1("POST", "audio/transcriptions", audio.create_transcription, heard, *failures, kinds=TRANSCRIBED)
    v1("POST", "audio/translations", audio.create_translation, heard, *failures, **text)
    sound: dict[str, Any] = {"response_class": audio.Spoken}
    v1("POST", "audio/speech", audio.create_speech, None, *failures, **sound)
    v1("POST", "files", lines.create_file, shapes.FileShape, 413, 503)
    v1("GET", "files", lines.list_files, shapes.FileList, 503)
    v1("GET", "files/{id}", lines.retrieve_file, shapes.FileShape, 404, 503)
    v1("DELETE", "files/{id}", lines.delete_file, shapes.FileDeleted, 404, 503)
    content: dict[str, Any] = {"response_class": lines.Lines}
    v1("GET", "files/{id}/content", lines.file_content, None, 404, 503, **content)
    v1("POST", "batches", lines.create_batch, shapes.BatchShape, 404, 503)
    v1("GET", "batches", lines.list_batches, shapes.BatchList, 404, 503)
    named = {"operation_id": "get_openai_batch"}
    v1("GET", "batches/{id}", lines.retrieve_batch, shapes.BatchShape, 404, 503, **named)
    named = {"operation_id": "cancel_openai_batch"}
    v1("POST", "batches/{id}/cancel", lines.cancel_batch, shapes.BatchShape, 404, 503, **named)


def _refuse_other_methods(app: FastAPI) -> None:
    """Answer 405 with all methods a path has; the page, which stands behind, would answer 404."""
    methods: dict[str, set[str]] = {}
    for route in app.routes:
        if isinstance(route, Route):
            methods.setdefault(route.path, set()).update(route.methods or ())
    app.router.routes.extend(Route(path, OtherMethods(allowed)) for path, allowed in methods.items())


def _door(service: Service, tools: "Sequence[Tool]") -> "Door":
    from .mcp import Door

    return Door(service, tools)


def _mount(app: FastAPI, demo: "gr.Blocks", service: Service, mount: dict[str, Any]) -> None:
    import gradio as gr
    from gradio.route_utils import FnIndexInferError

    # Without this, Gradio's upload check is off and anyone can have any file of the host served.
    demo.has_launched = True
    gr.mount_gradio_app(
        app,
        demo,
        path="/",
        ssr_mode=False,
        show_error=False,
        run_history=False,
        mcp_server=False,
        max_file_size=service.settings.max_body_mb * MIB,
        app_kwargs={"exception_handlers": page.HANDLERS | {FnIndexInferError: page.on_misfit}},
        **mount,
    )
    behind = next(route for route in reversed(app.routes) if isinstance(route, Mount))
    public = {str(one.api_name) for one in demo.fns.values() if one.api_visibility == "public"}
    behind.app = page.PublicOnly(behind.app, public)
