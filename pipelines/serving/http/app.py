"""The application: which path leads where, and the layers that a request goes through first."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hierarchy.errors import need
from pipelines.serving.http.bodies import Bodies
from pipelines.serving.http.endpoints import Endpoints
from pipelines.serving.http.front import Front
from pipelines.serving.http.guards import Access, App, Guard
from pipelines.serving.http.inference_protocol import InferenceProtocol
from pipelines.serving.http.refusals import BROKEN, CODES, PROTOCOL, RefusedError
from pipelines.serving.http.schemas import ErrorResponse, PredictResponse, ProtocolErrorResponse
from pipelines.serving.http.service import Service
from pipelines.serving.http.static_files import OPENAPI, Files, documentation, file_headers

if TYPE_CHECKING:
    from fastapi import FastAPI

TITLE = "coarsefine"
ABOUT = "Texts into labels of a tree, with probabilities, levels and reasons."
SHOWN = 5  # problems of a body
MESSAGES = {404: "there is nothing under this path: see /docs", 405: "this path takes another method: see /docs"}


def check_serving() -> None:
    """Refuse to serve without the libraries that serve; raises MissingLibraryError."""
    need("fastapi", "uvicorn", "prometheus_client", what="the service stands on the extra `serve`")


def make_app(
    service: Service,
    *,
    token: str | None = None,
    hosts: Sequence[str] = (),
    origins: Sequence[str] = (),
    pages: Files = MappingProxyType({}),
) -> App:
    """Make the ASGI application of a service.

    Parameters
    ----------
    service
        Which answers; who starts and closes it is the caller.
    token, hosts
        As for `Access`.
    origins
        Sites whose pages may ask (CORS).
    pages
        Files that are served as they are: path -> content and media type.
    """
    from fastapi import FastAPI
    from starlette.middleware.cors import CORSMiddleware

    from pipelines.model.record import library_version

    framework = FastAPI(
        title=TITLE, description=ABOUT, version=library_version(TITLE) or "unknown", docs_url=None, redoc_url=None,
        openapi_url=OPENAPI, servers=[{"url": "."}],  # behind a proxy it may stand under any path
        redirect_slashes=False, telemetry={"tracing": False, "metrics": False, "logs": False},
    )  # fmt: skip
    files = {**documentation(), **pages}
    _add_endpoints(framework, service, token_required=token is not None)
    _add_files(framework, files)
    _word_errors(framework)
    guarded = Guard(Bodies(framework, service.limits), Access(token, frozenset(hosts), frozenset({*files, OPENAPI})))
    app: App = Front(guarded, service.metrics)
    if origins:
        app = CORSMiddleware(
            app, allow_origins=list(origins), allow_methods=("GET", "POST"),
            allow_headers=("Authorization", "Content-Type", "X-Request-ID"),
            expose_headers=("X-Request-ID", "Retry-After"),
        )  # fmt: skip
    return app


def _add_endpoints(framework: "FastAPI", service: Service, *, token_required: bool) -> None:
    from fastapi import Security
    from fastapi.responses import Response
    from fastapi.security import HTTPBearer
    from prometheus_client import CONTENT_TYPE_LATEST
    from pydantic_core import to_json

    ours, protocol = Endpoints(service, token_required=token_required), InferenceProtocol(service)
    shown = [Security(HTTPBearer(auto_error=False))] if token_required else []  # for the documentation: `Guard` checks

    def add(method: str, path: str, handler: Callable[..., Awaitable[Any]], tag: str, **options: Any) -> None:
        status = options.get("status_code", 200)

        @wraps(handler)
        async def as_json(*args: Any, **given: Any) -> Response:
            return Response(to_json(await handler(*args, **given)), status, media_type="application/json")

        error = ProtocolErrorResponse if path.startswith(PROTOCOL) else ErrorResponse
        errors: Mapping[int | str, Any] = {status: {"model": error} for status in CODES}
        framework.add_api_route(
            path, as_json, methods=[method], tags=[tag], responses=dict(errors), **{"response_model": None, **options}
        )

    locked: dict[str, Any] = {"dependencies": shown}
    add("POST", "/predict", ours.predict, "answers", response_model=PredictResponse, **locked)
    add("POST", "/v1/classify", ours.classify, "answers", **locked)
    add("GET", "/info", ours.info, "model", **locked)
    add("GET", "/tree", ours.tree, "model", **locked)
    add("POST", "/corrections", ours.correct, "corrections", status_code=201, **locked)
    add("GET", "/healthz", ours.alive, "health")
    add("GET", "/readyz", ours.ready, "health")

    add("GET", "/v2", protocol.server, "Open Inference Protocol", **locked)
    add("GET", "/v2/health/live", protocol.live, "Open Inference Protocol")
    add("GET", "/v2/health/ready", protocol.ready, "Open Inference Protocol")
    for model in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        add("GET", model, protocol.model, "Open Inference Protocol", **locked)
        add("GET", f"{model}/ready", protocol.model_ready, "Open Inference Protocol", **locked)
        add("POST", f"{model}/infer", protocol.infer, "Open Inference Protocol", **locked)

    async def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(service.metrics.page(), media_type=CONTENT_TYPE_LATEST)

    framework.add_api_route("/metrics", metrics, methods=["GET"], tags=["health"], response_class=Response, **locked)


def _add_files(framework: "FastAPI", files: Files) -> None:
    from fastapi import Request
    from fastapi.responses import Response

    for path, (content, media_type) in files.items():
        headers = file_headers(path, content, media_type)

        def send(request: Request, content: bytes = content, headers: dict[str, str] = headers) -> Response:
            known = request.headers.get("if-none-match") == headers["ETag"]
            return Response(status_code=304, headers=headers) if known else Response(content, headers=headers)

        framework.add_route(path, send, methods=["GET"], include_in_schema=False)


def _word_errors(framework: "FastAPI") -> None:
    """Let all errors have one shape, which quotes nothing that was sent."""
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import Response
    from starlette.exceptions import HTTPException
    from starlette.requests import Request

    def response(request: Request, refused: RefusedError) -> Response:
        body = refused.body(request.url.path, request.state.request_id)
        return Response(body, refused.status, refused.headers, "application/json")

    def refuse(request: Request, error: Any) -> Response:
        return response(request, error)

    def invalid(request: Request, error: Any) -> Response:
        problems = error.errors()
        if any(problem["type"] == "json_invalid" for problem in problems):
            return response(request, RefusedError(400, "the body is no JSON"))
        return response(request, RefusedError(422, "; ".join(map(_worded, problems[:SHOWN]))))

    def other(request: Request, error: Any) -> Response:
        status = error.status_code if error.status_code in CODES else 400
        message = MESSAGES.get(status, "the request cannot be read")
        return response(request, RefusedError(status, message, error.headers or {}))

    def broken(request: Request, _: Exception) -> Response:
        return response(request, RefusedError(500, BROKEN))

    framework.add_exception_handler(Exception, broken)
    framework.add_exception_handler(RefusedError, refuse)
    framework.add_exception_handler(RequestValidationError, invalid)
    framework.add_exception_handler(HTTPException, other)


def _worded(problem: Mapping[str, Any]) -> str:
    """Say what is wrong with a field, by the names that we gave: those that a client made up may be anything."""
    place = ".".join(map(str, problem["loc"][1:])) or "body"
    return f"{place}: {problem['msg'].removeprefix('Value error, ')}"
