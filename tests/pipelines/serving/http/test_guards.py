"""Who may ask: tokens, names of the host, origins, kinds of content."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.serving.http.corrections import Corrections

TOKEN = "0123456789abcdef0123"  # noqa: S105
HEALTH = ("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready")
PAGES = {
    "/": (b"<!doctype html><script>1</script>", "text/html; charset=utf-8"),
    "/assets/a.js": (b"1", "text/javascript"),
}


def test_the_token_covers_all_but_health_and_static_files(client: Callable[..., Any]):
    ours = client(token=TOKEN, pages=PAGES)
    described = ours.get("/openapi.json").json()["paths"]
    for path, methods in described.items():
        for method in methods:
            place = path.format(name="shop", version="1")
            answered = ours.request(method, place, json={} if method == "post" else None)
            assert (answered.status_code == 200) if path in HEALTH else (answered.status_code == 401), path
            if path not in HEALTH:
                assert answered.headers["www-authenticate"] == "Bearer"
    for path in (*PAGES, "/docs", "/docs/swagger-ui.css"):
        assert ours.get(path).status_code == 200
    assert ours.get("/nothing").status_code == 401


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        (f"Bearer {TOKEN}", 200), (f"bearer {TOKEN}", 200), (f"Bearer  {TOKEN}", 200), (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401), (f"Basic {TOKEN}", 401), (TOKEN, 401), ("Bearer", 401), ("Bearer \xe9", 401),
        ("", 401),
    ],
)  # fmt: skip
def test_tokens(client: Callable[..., Any], shown: str, status: int):
    ours = client(token=TOKEN)
    assert ours.get("/info", headers=[(b"authorization", shown.encode("latin-1"))]).status_code == status


def test_two_tokens_are_none(client: Callable[..., Any]):
    both = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", "Bearer other")]
    assert client(token=TOKEN).get("/info", headers=both).status_code == 401


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("localhost:9", 200), ("127.0.0.1:8000", 200), ("[::1]:8000", 200), ("LOCALHOST", 200),
        ("model.example", 200), ("evil.example", 403), ("localhost.evil.example", 403), ("10.0.0.1", 200),
        ("0.0.0.0:8000", 200), ("[fe80::1]:8000", 200), ("10.0.0.1.evil.example", 403), ("10.0.0", 403), ("", 403),
        ("[", 403), ("evil.example@localhost", 200), ("10.0.0.1@evil.example", 403),
    ],
)  # fmt: skip
def test_hosts(client: Callable[..., Any], host: str, status: int):
    ours = client(hosts=["model.example"])
    assert ours.get("/info", headers={"Host": host}).status_code == status
    assert ours.get("/healthz", headers={"Host": host}).status_code == 200


def test_any_host(client: Callable[..., Any]):
    assert client(hosts=["*"]).get("/info", headers={"Host": "evil.example"}).status_code == 200


def test_nothing_is_said_to_other_origins_unless_asked(client: Callable[..., Any]):
    there = {"Origin": "https://app.example"}
    preflight = {**there, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    closed = client()
    assert "access-control-allow-origin" not in closed.get("/info", headers=there).headers
    assert closed.options("/predict", headers=preflight).status_code == 405
    open_ = client(origins=["https://app.example"], token=TOKEN)
    assert open_.options("/predict", headers=preflight).headers["access-control-allow-origin"] == "https://app.example"
    assert open_.get("/info", headers=there).headers["access-control-allow-origin"] == "https://app.example"
    other = open_.options("/predict", headers={**preflight, "Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"Origin": "http://localhost:8000"}, 201),
        ({"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"}, 201),
        ({"Origin": "http://localhost:9000"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "https://localhost:8000"}, 201),  # a proxy has taken TLS off
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Origin": "http://evil.example@localhost:8000"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_corrections_come_from_no_other_site(
    client: Callable[..., Any], tmp_path: Path, headers: dict[str, str], status: int
):
    file = tmp_path / "corrections.jsonl"
    ours = client(corrections=Corrections(file), origins=["https://evil.example"])
    assert ours.post("/corrections", json={"text": "x", "label": "kettles"}, headers=headers).status_code == status
    assert bool(file.read_text(encoding="utf-8")) == (status == 201)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", None])
def test_other_content_is_refused(client: Callable[..., Any], kind: str | None):
    headers = {} if kind is None else {"Content-Type": kind}
    refused = client().post("/predict", content=b'{"text": "x"}', headers=headers)
    assert refused.status_code == 415
    assert "application/json" in refused.json()["error"]["message"]


def test_pages_run_their_own_scripts_only(client: Callable[..., Any]):
    page = client(pages=PAGES).get("/")
    policy = page.headers["content-security-policy"]
    for nobody in ("default-src", "base-uri", "form-action", "frame-ancestors"):
        assert f"{nobody} 'none'" in policy
    assert "'sha256-a4ayc/80/OGda4BO/1o/V0etpOqiLx1JwB5S3beHW0s='" in policy  # of `1`
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\xe9"])
def test_a_request_id_that_is_none_gets_another(client: Callable[..., Any], given: str):
    ours = client()
    headers = [(b"x-request-id", given.encode("latin-1"))]
    assert ours.get("/healthz", headers=headers).headers["x-request-id"] != given
    assert ours.get("/healthz", headers={"X-Request-ID": "mine-1"}).headers["x-request-id"] == "mine-1"
