"""Who may ask: the name in the Host header, the token, the origin of a page, the kind of the content."""

import hmac
import re
from collections.abc import Awaitable, Callable, Collection, MutableMapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from hierarchy.errors import ConfigError
from pipelines.serving.http.refusals import RefusedError

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

HEALTH = frozenset({"/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"})
CORRECTIONS = "/corrections"
HOST = re.compile(r"\*|[a-z0-9._-]+|[0-9a-f:.]+")  # any, a name, or an address
ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://[a-z0-9._:\[\]-]+")


@dataclass(frozen=True)
class Access:
    """What a request must show.

    Attributes
    ----------
    token
        Bearer token; None asks for none.
    hosts
        Names, in lower case and without ports, that the service answers to beside ``localhost``; ``*`` for all. It
        answers to every address, since no other site's page can have one for its name.
    open_paths
        Need no token: static files, which say nothing of the model. Neither does health.
    """

    token: str | None = None
    hosts: Collection[str] = ()
    open_paths: Collection[str] = ()

    def check(self, scope: Scope) -> None:
        """Refuse a request that may not ask; raises RefusedError."""
        path = scope["path"]
        if path in HEALTH:  # probes come by address and have no token
            return
        host = header(scope, b"host") or ""
        name = host_name(host)
        if "*" not in self.hosts and name not in ("localhost", *self.hosts) and not _is_address(name):
            raise RefusedError(
                403,
                "this service is not known under the name in the Host header: start it with --allow-host NAME, or let "
                "the proxy pass on the Host that the client sent",
            )
        if self.token is not None and path not in self.open_paths and not self._is_shown(scope):
            raise RefusedError(401, "send the token: Authorization: Bearer ...", {"WWW-Authenticate": "Bearer"})
        if path == CORRECTIONS and not _is_same_origin(scope, host):
            raise RefusedError(
                403,
                "corrections are taken from this service's own page, and from no other site: a proxy has to pass on "
                "the Host that the browser sent, with its port",
            )
        if scope["method"] == "POST":
            kind = (header(scope, b"content-type") or "").partition(";")[0].strip().lower()
            if kind != "application/json":
                raise RefusedError(415, "send JSON: Content-Type: application/json")

    def _is_shown(self, scope: Scope) -> bool:
        scheme, _, shown = (header(scope, b"authorization") or "").partition(" ")
        same = hmac.compare_digest(shown.strip().encode("latin-1"), (self.token or "").encode())
        return same and scheme.lower() == "bearer"


class Guard:
    """Let pass what `Access` lets.

    Parameters
    ----------
    app
        What answers.
    access
        What a request must show.
    """

    def __init__(self, app: App, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or raise RefusedError."""
        if scope["type"] == "http":
            self.access.check(scope)
        await self.app(scope, receive, send)


def checked_hosts(names: Sequence[str]) -> list[str]:
    """Return names that a Host header can hold, in lower case; raises ConfigError at the first that is none."""
    return _checked(names, HOST, "--allow-host takes a name alone, such as tickets.example.org, and no port")


def checked_origins(sites: Sequence[str]) -> list[str]:
    """Return sites as browsers name them in an Origin header; raises ConfigError at the first that is none."""
    shown = [site.removesuffix("/") for site in sites]
    return _checked(shown, ORIGIN, "--allow-origin takes a site without a path, such as https://app.example.org")


def _checked(given: Sequence[str], form: re.Pattern[str], remedy: str) -> list[str]:
    for one in given:
        if not form.fullmatch(one.lower()):
            raise ConfigError(f"{remedy}, and not {one!r}")
    return [one.lower() for one in given]


def header(scope: Scope, name: bytes) -> str | None:
    """Return the header of a request, None where it has none or several."""
    found = [value for key, value in scope["headers"] if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else None


def host_name(host: str) -> str:
    """Return the name in a Host header, without port and brackets; empty where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_same_origin(scope: Scope, host: str) -> bool:
    """Whether a request comes from a page of this service, or from no page."""
    if header(scope, b"sec-fetch-site") not in (None, "same-origin", "none"):
        return False
    origins = [value.decode("latin-1") for key, value in scope["headers"] if key == b"origin"]
    return not origins or origins in ([f"http://{host}"], [f"https://{host}"])
