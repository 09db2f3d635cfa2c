"""Every route of the server on one page, what stands before them, and the page of the UI behind."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from .. import __version__
from ..logs import request_level
from ..service import Service
from ..tools import Tool
from . import auth, chat, compare, inference, media, models, operations, websocket
from .docs import TAGS, add_docs, document_keys
from .errors import HANDLERS, problems
from .middleware import BodyLimit, Envelope, SameOrigin
from .openai import audio, completions, others
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
        responses=problems(401, 422, 429, 500),
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
            Middleware(SameOrigin, origins=settings.cors_origins),
            Middleware(auth.Authentication, service=service),
            Middleware(BodyLimit, limit=settings.max_body_mb * MIB),
        ],
    )
    app.state.service = service
    app.state.views = views
    _add_routes(app)
    add_docs(app)
    document_keys(app)
    if door is not None:
        app.router.routes.extend(Route(path, door) for path in ("/gradio_api/mcp", "/gradio_api/mcp/"))
    if demo is not None:
        _mount(app, demo, service, mount)
    return app


def _add_routes(app: FastAPI) -> None:
    def route(method: str, path: str, endpoint: Any, tag: str, *statuses: int, **more: Any) -> None:
        more.setdefault("operation_id", endpoint.__name__)
        app.add_api_route(path, endpoint, methods=[method], tags=[tag], responses=problems(*statuses), **more)

    model, reply = models.ModelAnswer, chat.Reply
    route("GET", "/models", models.list_models, "models")
    route("POST", "/models", models.register_model, "models", 403, 409, 413, 503, status_code=201)
    route("GET", "/models/search", models.search_models, "models")
    compared: dict[str, Any] = {"response_model": compare.Compared}
    route(
        "POST", "/models/compare", compare.compare_models, "models", 400, 403, 404, 413, 415, 503, **compared
    )
    route("POST", "/models/recommend", compare.recommend_models, "models", 503)
    route("POST", "/models/vote", compare.vote, "models", 503)
    route("GET", "/models/ratings", compare.model_ratings, "models")
    route("GET", "/models/{id}", models.get_model, "models", 404)
    route("DELETE", "/models/{id}", models.delete_model, "models", 403, 404, 409, 503, status_code=204)
    route("GET", "/models/{id}/versions", models.model_versions, "models", 404)
    route("POST", "/models/{id}/load", models.load_model, "models", 404, 503, response_model=model)
    route("POST", "/models/{id}/unload", models.unload_model, "models", 404, 409)

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
    app.add_api_websocket_route("/chat/{id}/ws", websocket.chat_socket)

    failures = (400, 404, 413, 415, 503, 504)
    route("GET", "/v1/models", others.list_models, "openai", operation_id="list_openai_models")
    route("GET", "/v1/models/{id}", others.retrieve_model, "openai", 404)
    route("POST", "/v1/chat/completions", completions_chat.create_chat_completion, "openai", *failures)
    route("POST", "/v1/completions", completions.create_completion, "openai", *failures)
    route("POST", "/v1/embeddings", others.create_embeddings, "openai", *failures)
    route("POST", "/v1/images/generations", others.create_image, "openai", *failures)
    route("POST", "/v1/audio/transcriptions", audio.create_transcription, "openai", *failures)
    route("POST", "/v1/audio/speech", audio.create_speech, "openai", *failures)

    route("GET", "/cache/stats", operations.cache_stats, "operations")
    route("POST", "/cache/clear", operations.clear_cache, "operations")
    route("GET", "/healthz", operations.healthz, "operations")
    route("GET", "/readyz", operations.readyz, "operations", response_model=operations.Readiness)
    route("GET", "/stats", operations.stats, "operations")
    route("GET", "/metrics", operations.metrics, "operations", response_class=operations.MetricsPage)

    for method, path, endpoint in (
        ("GET", "/signin", auth.sign_in_page),
        ("POST", "/signin", auth.sign_in),
        ("POST", "/signout", auth.sign_out),
    ):
        app.add_api_route(path, endpoint, methods=[method], include_in_schema=False)


def _door(service: Service, tools: "Sequence[Tool]") -> "Door":
    from .mcp import Door

    return Door(service, tools)


def _mount(app: FastAPI, demo: "gr.Blocks", service: Service, mount: dict[str, Any]) -> None:
    import gradio as gr

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
        **mount,
    )
