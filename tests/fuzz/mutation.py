"""Hostile texts, and what chance does to the bytes of a file."""

from collections.abc import Callable
from random import Random

PLAIN = [
    "Kettles",
    "Lawn mowers",
    "Tea, pots",
    "a: b",
    "it's",
    "茶壶",
    "Grün",
    "C#",
    "x # y",
    "007",
    "1.50",
    "T-shirts",
]
HOSTILE = [
    "", " ", "\t", "\n", "a\nb", "a\r\nb", "\r", "\x00", "\x1b[31mred\x1b[0m", "\x07", "\x85", "\u2028", "\u2029",
    "\u202eevil", "\ufeff", "\ufffe", "\u200b", "e\u0301", "\u00e9", "🦊", "👨‍👩‍👧", "\U0010ffff", "ＡＢＣ", "İ", "ß",
    "null", "~", "true", "no", "NaN", "inf", "-0", "1e999", "0x10", "1_000", "9" * 5000, "-" + "9" * 400, "1:20",
    "2024-01-01", "- x", "# x", "x #", "'", '"', "''", '"""', "\\", "\\n", "[x]", "{x: y}", "&a x", "*a", "!!int x",
    "!!python/object:os.system x", "<<", "%TAG", "---", "...", "|", ">", "`x`", "@x", "a: b: c", ": x", "x:",
    "=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("x")', "\t=1", ";=1", "'=1",
    "<script>alert(1)</script>", "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "&lt;", "&amp;",
    "<!--", "]]>", "javascript:alert(1)", "\" onmouseover=\"x", "' onclick='x", "${7*7}", "{{7*7}}", "%s%n", "%d",
    "../../etc/passwd", "/dev/zero", "~root", "$HOME", "a/b", ".", "..", "nul", "x" * 300, "x" * 20_000, "a " * 3_000,
    "**b**", "| a | b |", "[a](javascript:x)", "![a](x)", "```", "<b>", "# h", "* i", "1. x", "\\*", "_x_",
]  # fmt: skip
HALVES = ["\ud800", "x\udfff", "\udc80"]  # of a character: no UTF-8 holds them
BYTES = [
    b"\x00", b"\xff", b"\xfe\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\x80", b"\xc0\xaf", b"\xed\xa0\x80", b"\r", b"\r\n",
    b"\n", b"\n\n", b"\t", b"  ", b"\x1a", b"\x1f\x8b", b"PK\x03\x04", b"PAR1", b"ARROW1", b"\xe2\x80\xa8", b"\xc2\x85",
    b'"', b"'", b",", b";", b":", b": ", b"- ", b"-", b"[", b"]", b"{", b"}", b"&a ", b"*a", b"!!", b"|", b">", b"#",
    b"%", b"? ", b"<<: *a", b"---\n", b"...\n", b"null", b"NaN", b"Infinity", b"1e400", b"9" * 5000, b"\\u0000",
    b"\\ud800", b"\\x", b"true", b"~", b"[" * 500, b"{" * 200, b"[" * 20_000, b"- " * 300, b"!!python/name:os.system ",
]  # fmt: skip


def text(rng: Random) -> str:
    """Draw a text that some program may read wrongly; no half of a character is in it."""
    kind = rng.random()
    if kind < 0.3:
        return rng.choice(PLAIN)
    if kind < 0.75:
        return rng.choice(HOSTILE)
    if kind < 0.9:
        return "".join(rng.choice([*PLAIN, *HOSTILE[:60]])[:40] for _ in range(rng.randint(2, 4)))
    return "".join(_character(rng) for _ in range(rng.randint(1, 30)))


def name(rng: Random) -> str:
    """Draw a text that has something in it, and is short."""
    drawn = text(rng)[:60]
    return drawn if drawn.strip() else f"n{rng.randint(0, 99)}{drawn}"


def _character(rng: Random) -> str:
    top = rng.choice([0x7F, 0x7F, 0xFF, 0x2FFF, 0xD7FF, 0x10FFFF])
    code = rng.randint(0, top)
    return "�" if 0xD800 <= code < 0xE000 else chr(code)


def mutated(rng: Random, data: bytes, most: int = 5) -> bytes:
    """Change bytes, pieces or lines of a file, one to `most` times."""
    for _ in range(rng.randint(1, most)):
        data = rng.choice(_CHANGES)(rng, data)
    return data


def _put_in(rng: Random, data: bytes) -> bytes:
    place = rng.randint(0, len(data))
    return data[:place] + rng.choice(BYTES) + data[place:]


def _put_in_text(rng: Random, data: bytes) -> bytes:
    place = rng.randint(0, len(data))
    return data[:place] + text(rng).encode() + data[place:]


def _flip(rng: Random, data: bytes) -> bytes:
    changed = bytearray(data or b" ")
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(rng: Random, data: bytes) -> bytes:
    start = rng.randint(0, len(data))
    return data[:start] + data[start + rng.choice([1, 2, 5, 50]) :]


def _end(rng: Random, data: bytes) -> bytes:
    return data[: rng.randint(0, len(data))]


def _repeat(rng: Random, data: bytes) -> bytes:
    start = rng.randint(0, len(data))
    piece = data[start : start + rng.choice([1, 5, 30, 200])]
    return data[:start] + piece * rng.choice([2, 3, 20]) + data[start:]


def _move_line(rng: Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    lines.insert(rng.randint(0, len(lines)), lines.pop(rng.randrange(len(lines))))
    return b"".join(lines)


def _indent_line(rng: Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    place = rng.randrange(len(lines))
    lines[place] = b" " * rng.randint(1, 4) + lines[place] if rng.random() < 0.5 else lines[place].lstrip(b" ")
    return b"".join(lines)


_CHANGES: list[Callable[[Random, bytes], bytes]] = [
    _put_in, _put_in, _put_in_text, _put_in_text, _flip, _flip, _cut, _end, _repeat, _move_line, _indent_line,
]  # fmt: skip
