"""What a client is told where it gets no answer: one shape for all errors."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

CODES: Mapping[int, str] = MappingProxyType({
    400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed",
    408: "too_slow", 413: "too_large", 415: "wrong_content_type", 422: "invalid", 429: "busy", 500: "internal",
    503: "unavailable",
})  # fmt: skip
BROKEN = "something here went wrong: the log has more under this id"
ENDING = "the service is about to end: ask another one"
PROTOCOL = "/v2"  # the Open Inference Protocol, whose errors are a string


class RefusedError(Exception):
    """A request is not answered.

    Parameters
    ----------
    status
        Of HTTP, one of `CODES`.
    message
        What happened, and what to do; it quotes no text.
    headers
        Of the response, besides.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers)

    def body(self, path: str, request_id: str) -> bytes:
        """Word it for a path."""
        error: Any = {"code": CODES[self.status], "message": self.message, "request_id": request_id}
        return json.dumps({"error": self.message if path.startswith(PROTOCOL) else error}).encode()
