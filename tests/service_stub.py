"""The service's side of its page, with answers by rule and everything that was asked kept: for tests in a browser."""

import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pipelines.pages.service import service_page

MARKUP = "<img src=x onerror=alert(1)>"
GROUPS = (
    ("travel", "Travel", (("lost", "Lost baggage claim"), ("late", "Late flight"), ("b", f"{MARKUP} & co"))),
    ("money", "Money", (("fee", "Card fee"), ("=1+1", "=HYPERLINK(\"http://x\")"), ("turned", "\u202eturned"))),
    ("<b>", "<b>Strange</b>", (("名", "名字"), ('"q" \'s\'', "quotes"), ("a]b\\", "brackets"))),
)  # fmt: skip
HOME = {label: group for group, _, labels in GROUPS for label, _ in labels}
NAMES = {label: name for _, _, labels in GROUPS for label, name in labels}
GROUP_NAMES = {group: name for group, name, _ in GROUPS}
TELLING = "suitcase"


def answer_to(text, *, top_k, sets, explain):
    """Say what the rules say: a word of a text is a level, or the id of the best label."""
    label = next((label for label in NAMES if f"[{label}]" in text), "lost")
    level, reason = next(
        (rule for word, rule in (("GROUP", ("group", None)), ("UNSURE", ("none", "unsure")),
                                 ("OUTSIDE", ("none", "out_of_scope")), ("UNKNOWN", ("none", "nothing_known")))
         if word in text),
        ("fine", None),
    )  # fmt: skip
    others = [other for other in NAMES if other != label]
    paths = [(label, 0.9375), *((other, 0.0625 / len(others)) for other in others)][:top_k]
    found = {
        "label": label, "label_name": NAMES[label], "group": HOME[label], "group_name": GROUP_NAMES[HOME[label]],
        "probability": 0.9375, "group_probability": 0.97, "coarse_probability": 0.96, "beam_mass": 1.0,
        "level": level, "reason": reason, "read": "encoder",
        "paths": [{"group": HOME[one], "label": one, "probability": part} for one, part in paths],
    }  # fmt: skip
    if sets:
        found |= {"set_level": "label", "set": [label, others[0]]}
    if explain:
        spans = [[place.start(), place.end()] for place in re.finditer(TELLING, text)]
        found["explanation"] = {
            "paths": [], "label": label, "against": others[0], "margin": 2.0, "parts": [], "units": [],
            "ngrams": [{"ngram": TELLING, "spans": spans, "share": 2.0}] if spans else [], "outside": 2.0,
            "neighbours": [],
        }  # fmt: skip
    return found


class Stub:
    """What the tests set and look at."""

    def __init__(self):
        self.token = None
        self.calibrated = self.corrects = True
        self.most_documents, self.refusal = 1_000, 413  # of more than that
        self.busy = 0  # so many requests are refused with 429
        self.asked = []  # (path, body)
        self.corrections = []

    def info(self):
        promises = {"documents": 320, "routing": "exhaustive", "precision": 0.95, "delta": 0.1, "coverage": 0.9,
                    "false_alarms": 0.02, "words": []}  # fmt: skip
        return {
            "name": f"letters {MARKUP}", "version": "0f3a9c21b7de", "created": "2026-11-27T10:00:00+00:00",
            "coarsefine": "1.0", "labels": len(NAMES), "groups": len(GROUPS), "encoder": None,
            "promises": promises if self.calibrated else None,
            "limits": {"documents": 1_000, "tokens": 200_000, "body": 8 << 20}, "corrections": self.corrects,
            "token_required": self.token is not None,
        }  # fmt: skip

    def answer(self, path, body):
        """Return status and body."""
        if path == "/info":
            return 200, self.info()
        if path == "/tree":
            return 200, {"groups": [
                {"id": group, "name": name, "description": "", "labels": [
                    {"id": label, "name": called, "description": f"about {MARKUP}"} for label, called in labels
                ]} for group, name, labels in GROUPS
            ]}  # fmt: skip
        self.asked.append((path, body))
        if path == "/corrections":
            self.corrections.append(body)
            return 201, {"written": len(self.corrections)}
        if self.busy:
            self.busy -= 1
            return refused(429, "busy")
        texts = body["texts"] if "texts" in body else [body["text"]]
        if len(texts) > self.most_documents or any("HUGE" in text for text in texts):
            return refused(self.refusal, "too_large")
        if body.get("sets") and not self.calibrated:
            return refused(422, "invalid")
        wanted = {"top_k": body["top_k"], "sets": body.get("sets"), "explain": body.get("explain", False)}
        answers = [answer_to(text, **wanted) for text in texts]
        return 200, {"model": {"name": "letters", "version": "0f3a9c21b7de"}, "answers": answers}


def refused(status, code):
    return status, {"error": {"code": code, "message": "no", "request_id": "1"}}


@contextmanager
def served():
    """Serve page and stub on a port of this machine; gives the address and the stub."""
    stub, page = Stub(), service_page()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path in page:
                self.write(200, *page[self.path])
            else:
                self.reply(None)

        def do_POST(self):
            self.reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def reply(self, body):
            is_known = stub.token is None or self.headers["Authorization"] == f"Bearer {stub.token}"
            status, found = stub.answer(self.path, body) if is_known else refused(401, "unauthorized")
            self.write(status, json.dumps(found).encode(), "application/json")

        def write(self, status, content, media_type):
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(content)))
            if status == 429:
                self.send_header("Retry-After", "0.05")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", stub
    finally:
        server.shutdown()
        server.server_close()
