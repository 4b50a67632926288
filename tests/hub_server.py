"""A small Hugging Face hub in a thread: the part of its HTTP API that pushing and loading a model use.

Made after what `huggingface_hub` sends: repositories, branches and commits are dictionaries; small files come inside
the commit, weights over the LFS protocol. The content of a commit can be changed behind the manifest's back.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_of_the_tests"  # noqa: S105 - of a server that lives for one test


class Repository:
    """Branches, and the files of each commit."""

    def __init__(self, private):
        self.private = private
        self.commits = {"0" * 40: {}}
        self.branches = {"main": "0" * 40}

    def resolve(self, revision):
        """Commit of a branch or commit; None where there is none."""
        return self.branches.get(revision, revision if revision in self.commits else None)

    def commit(self, branch, files):
        parent = self.branches[branch]
        content = json.dumps([parent, len(self.commits), sorted(files)])
        sha = hashlib.sha1(content.encode()).hexdigest()  # noqa: S324 - as git names a commit
        self.commits[sha] = files
        self.branches[branch] = sha
        return sha

    def change(self, name, content, branch="main"):
        """Put a file into the newest commit, as somebody with access to the storage would."""
        self.commits[self.branches[branch]][name] = content


class Hub:
    """What the server knows, and every request that it got."""

    def __init__(self):
        self.repositories = {}
        self.uploaded = {}  # by SHA-256, before a commit names it
        self.requests = []
        self.url = ""

    def got(self, name):
        """Whether a file was downloaded."""
        return any(method == "GET" and path.endswith(f"/{name}") for method, path in self.requests)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._serve("GET")

    def do_HEAD(self):
        self._serve("HEAD")

    def do_POST(self):
        self._serve("POST")

    def do_PUT(self):
        self._serve("PUT")

    def log_message(self, *_):
        pass

    def _serve(self, method):
        self.hub = self.server.hub
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append((method, path))
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.authorized = self.headers.get("authorization") == f"Bearer {TOKEN}"
        for wanted, pattern, answer in ROUTES:
            found = re.fullmatch(pattern, path)
            if found and method in wanted:
                return answer(self, **found.groupdict())
        return self._error(404, "EntryNotFound")

    # Writing

    def _create(self):
        wish = json.loads(self.body)
        name = f"{wish['organization']}/{wish['name']}"
        if not self.authorized:
            return self._error(401)
        if wish["organization"] == "foreign":
            return self._error(403)
        if name in self.hub.repositories:
            return self._json({"url": f"{self.hub.url}/{name}"}, status=409)
        private = wish.get("private", False) or wish.get("visibility") == "private"
        self.hub.repositories[name] = Repository(private)
        return self._json({"url": f"{self.hub.url}/{name}"})

    def _branch(self, repo, revision):
        repository = self._writable(repo)
        if repository is None:
            return None
        if revision in repository.branches:
            return self._error(409)
        repository.branches[revision] = repository.branches["main"]
        return self._json({})

    def _card_is_fine(self):
        return self._json({"errors": [], "warnings": []})

    def _preupload(self, repo, revision):
        if self._writable(repo) is None:
            return None
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                "shouldIgnore": False,
            }
            for file in json.loads(self.body)["files"]
        ]
        return self._json({"files": files})

    def _lfs_batch(self, repo):
        if self._writable(repo) is None:
            return None
        objects = [
            {**wanted, "actions": {"upload": {"href": f"{self.hub.url}/lfs/{wanted['oid']}"}}}
            for wanted in json.loads(self.body)["objects"]
        ]
        return self._json({"transfer": "basic", "objects": objects})

    def _lfs_upload(self, oid):
        assert hashlib.sha256(self.body).hexdigest() == oid
        self.hub.uploaded[oid] = self.body
        return self._json({})

    def _commit(self, repo, revision):
        repository = self._writable(repo)
        if repository is None:
            return None
        files = dict(repository.commits[repository.branches[revision]])
        for line in self.body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.hub.uploaded[value["oid"]]
            elif entry["key"] == "deletedFile":
                del files[value["path"]]
        sha = repository.commit(revision, files)
        return self._json({"commitUrl": f"{self.hub.url}/{repo}/commit/{sha}", "commitOid": sha})

    # Reading

    def _info(self, repo, revision="main"):
        repository, sha = self._readable(repo, revision)
        if sha is not None:
            siblings = [{"rfilename": name} for name in sorted(repository.commits[sha])]
            self._json({"id": repo, "modelId": repo, "sha": sha, "private": repository.private, "siblings": siblings})

    def _tree(self, repo, revision):
        repository, sha = self._readable(repo, revision)
        if sha is not None:
            files = repository.commits[sha]
            self._json([{"type": "file", "path": n, "size": len(files[n]), "oid": _etag(files[n])} for n in files])

    def _resolve(self, repo, revision, name):
        repository, sha = self._readable(repo, revision)
        if sha is None:
            return None
        content = repository.commits[sha].get(name)
        if content is None:
            return self._error(404, "EntryNotFound", **{"X-Repo-Commit": sha})
        return self._answer(200, content, **{"X-Repo-Commit": sha, "ETag": f'"{_etag(content)}"'})

    def _readable(self, repo, revision):
        repository = self.hub.repositories.get(repo)
        if repository is None or (repository.private and not self.authorized):
            self._error(401, "RepoNotFound")
            return None, None
        sha = repository.resolve(revision)
        if sha is None:
            self._error(404, "RevisionNotFound")
        return repository, sha

    def _writable(self, repo):
        if not self.authorized:
            self._error(401)
            return None
        return self.hub.repositories[repo]

    # Answers

    def _json(self, content, status=200):
        self._answer(status, json.dumps(content).encode(), **{"Content-Type": "application/json"})

    def _error(self, status, code="", **headers):
        self._answer(status, b'{"error": "no"}', **({"X-Error-Code": code} if code else {}), **headers)

    def _answer(self, status, content, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


REPO, REVISION = r"(?P<repo>[^/]+/[^/]+)", r"(?P<revision>[^/]+)"
ROUTES = [
    (("POST",), "/api/repos/create", _Handler._create),
    (("POST",), "/api/validate-yaml", _Handler._card_is_fine),
    (("POST",), f"/api/models/{REPO}/branch/{REVISION}", _Handler._branch),
    (("POST",), f"/api/models/{REPO}/preupload/{REVISION}", _Handler._preupload),
    (("POST",), f"/{REPO}.git/info/lfs/objects/batch", _Handler._lfs_batch),
    (("PUT",), "/lfs/(?P<oid>[0-9a-f]{64})", _Handler._lfs_upload),
    (("POST",), f"/api/models/{REPO}/commit/{REVISION}", _Handler._commit),
    (("GET",), f"/api/models/{REPO}", _Handler._info),
    (("GET",), f"/api/models/{REPO}/revision/{REVISION}", _Handler._info),
    (("GET",), f"/api/models/{REPO}/tree/{REVISION}", _Handler._tree),
    (("GET", "HEAD"), f"/{REPO}/resolve/{REVISION}/(?P<name>.+)", _Handler._resolve),
]


@contextmanager
def running_hub() -> Iterator[Hub]:
    """Serve until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.hub = Hub()
    server.hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _etag(content):
    return hashlib.sha256(content).hexdigest()
