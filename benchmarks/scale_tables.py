"""Tables of scale: what was measured, and what a billion documents and 100,000 labels come to by arithmetic on it."""

from cells import NO_RESULTS, RESULTS, markdown, read

from pipelines.serving.predict_files import SIZE

DOCUMENTS = 1_000_000_000
LABELS = 100_000
DOCUMENTS_OF_A_LABEL = 10
HOUR = 3_600  # seconds
MOVED = 6  # times that a text goes to the disk or comes from it; its answer goes there once
PARAMETERS = {"MiniLM-L6": 10.6e6, "a BERT-base": 85e6}  # of the layers alone; 2 operations each a token
ASSUMED = 1e14  # operations a second of a GPU: a tenth of what NVIDIA states for an H200 in bf16 without sparsity
SHARD, _ = SIZE  # documents
FILES, SPEED, LENGTHS = "scale_out-attack_procedures", "runtimes-dc_code", "speed-dc_code"
CASCADE, MANY, ROWS = "cascade-attack_procedures", f"many_labels-{LABELS}", "heads_scale-20000x200000-candidates"
SCALE_RECORDS = (FILES, SPEED, LENGTHS, CASCADE, MANY, ROWS)
CORES = 2  # of the machine that read tokens


def scale_measured() -> str:
    """Figures that the other tables are made of, each with its command."""
    if not _are_there():
        return NO_RESULTS
    many, out, rows = read(MANY), read(FILES), read(ROWS)
    ray, one = out["sides"]["ray, 2 processes"], out["sides"]["local, 1 process"]
    files = (
        f"`python benchmarks/scale_out.py attack_procedures --documents {out['documents'] // out['files']} --rounds 2`"
    )
    speed = "`python benchmarks/runtimes.py dc_code --tokens 8000`"
    large = f"`python benchmarks/many_labels.py --labels 20000 {LABELS} --out benchmarks/results/{MANY}.json`"
    heads = "`python benchmarks/heads_scale.py --labels 20000 --groups 200`"
    found = [
        ("n-grams alone, one thread: documents a second", f"{one['documents_per_second']:,.0f}", files),
        ("two workers of Ray, by two processes without it", f"{out['ray_by_local']:.2f}", files),
        ("bytes of a short document in JSON Lines", f"{out['text_bytes'] / out['documents']:.0f}", files),
        ("bytes of its answer in Parquet", f"{out['answer_bytes'] / out['documents']:.0f}", files),
        ("driver with Ray: processor seconds a million documents", f"{ray['driver_seconds_a_million']:.1f}", files),
        ("driver with Ray: MiB", f"{ray['driver_mib']:.0f}", files),
        *((f"MiniLM-L6, {name}, two cores: tokens a second", f"{rate:,.0f}", speed) for name, rate in _rates().items()),
        ("tokens of a long document, overlaps and all", f"{_tokens_of_a_document():.0f}",
         "`python benchmarks/speed.py dc_code`"),
        ("share that n-grams answer in a cascade, %", f"{100 * _by_ngrams():.0f}",
         "`python benchmarks/cascade.py attack_procedures`"),
        ("rows of 20,000 labels, 200,000 documents, two cores: minutes", f"{rows['minutes']['together']:.0f}", heads),
        ("their peak memory, GiB", f"{rows['peak_memory']['gib']:.1f}", heads),
        *((f"{int(labels):,} labels, `beam: 10`, 1,000 at once: ms a document", f"{ms:.2f}", large)
          for labels, ms in many["milliseconds_a_document"]["beam"]["1000"].items()),
        *((f"{int(labels):,} labels: model on disk, MB; loading, s", f"{disk['mb']:,.0f}; {disk['load']:.1f}", large)
          for labels, disk in many["disk"].items()),
    ]  # fmt: skip
    return markdown(("what", "measured", "by"), *found)


def scale_documents() -> str:
    """Core hours of a billion documents, by arithmetic on the measured figures."""
    if not _are_there():
        return NO_RESULTS
    out = read(FILES)
    a_core = out["sides"]["local, 1 process"]["documents_per_second"] * min(1, out["ray_by_local"])
    ways = {"n-grams alone, short documents": DOCUMENTS / a_core / HOUR}
    tokens = DOCUMENTS * _tokens_of_a_document()
    for name, rate in _rates().items():
        ways[f"MiniLM-L6, {name}, long documents"] = CORES * tokens / rate / HOUR
    fastest = min(list(ways.values())[1:])
    ways[f"the fastest of these, {100 * _by_ngrams():.0f} % by n-grams first"] = fastest * (1 - _by_ngrams())
    rows = [(way, f"{hours:,.0f}", f"{hours / 24:,.0f}") for way, hours in ways.items()]
    return markdown(("a billion documents by", "core hours", "cores for one day"), *rows)


def scale_gpus() -> str:
    """Return hours of a GPU whose rate is assumed."""
    if not _are_there():
        return NO_RESULTS
    tokens = DOCUMENTS * _tokens_of_a_document()
    rows = []
    for encoder, parameters in PARAMETERS.items():
        operations = 2 * parameters * tokens
        rows.append(
            (encoder, f"{tokens / 1e9:,.0f} billion", f"{operations:.1e}", f"{operations / ASSUMED / HOUR:,.0f}")
        )
    return markdown(("a billion long documents by", "tokens", "operations", "GPU hours, rate assumed"), *rows)


def scale_limits() -> str:
    """Return what many workers ask of the shared disk and of the driver, by arithmetic on the measured figures."""
    if not _are_there():
        return NO_RESULTS
    out = read(FILES)
    ngrams = out["sides"]["local, 1 process"]["documents_per_second"]
    encoder = max(_rates().values()) / CORES / _tokens_of_a_document()
    moved = (MOVED * out["text_bytes"] + out["answer_bytes"]) / out["documents"]
    fed = 1e6 / out["sides"]["ray, 2 processes"]["driver_seconds_a_million"]  # documents a second
    return markdown(
        ("what", "comes to", "how"),
        ("shared disk, n-grams alone: MB a second and core", f"{ngrams * moved / 1e6:.1f}",
         f"{MOVED} times the text and once the answers"),
        ("text and answers of a billion short documents, GB",
         ", ".join(f"{DOCUMENTS * out[what] / out['documents'] / 1e9:,.0f}" for what in ("text_bytes", "answer_bytes")),
         "JSON Lines, Parquet"),
        ("shards of a billion short documents", f"{DOCUMENTS / SHARD:,.0f}", f"{SHARD:,} documents each"),
        ("cores that keep one driver busy, n-grams alone", f"{fed / ngrams:,.0f}",
         "a million documents in the driver's time for them"),
        ("the same, long documents by MiniLM-L6", f"{fed / encoder:,.0f}", "the fastest rate above"),
    )  # fmt: skip


def scale_labels() -> str:
    """Training of 100,000 labels, by arithmetic on the measured figures."""
    if not _are_there():
        return NO_RESULTS
    rows, times = read(ROWS), LABELS / 20_000
    hours = CORES * times * rows["minutes"]["together"] / 60
    documents = DOCUMENTS_OF_A_LABEL * LABELS
    reading = CORES * documents * _tokens_of_a_document() / max(_rates().values()) / HOUR
    return markdown(
        ("what", "comes to", "how"),
        ("core hours of the rows", f"{hours:,.0f}", f"{times:.0f} times those of 20,000 labels"),
        (f"vectors of {documents:,} documents, 768 numbers each", f"{documents * 768 * 4 / 2**30:.1f} GiB",
         "4 bytes a number"),
        ("core hours of the encoder that makes them", f"{reading:,.0f}", "the fastest rate above, long documents"),
        ("neural rows", f"{LABELS * 768 * 4 / 2**20:,.0f} MiB", "4 bytes a number"),
    )  # fmt: skip


def _are_there() -> bool:
    return all((RESULTS / f"{name}.json").exists() for name in SCALE_RECORDS)


def _rates() -> dict[str, float]:
    """Return tokens a second by what computes the encoder."""
    figures = read(SPEED)
    return {name: figures["speed"][name]["encoder"] for name in figures["sides"]}


def _tokens_of_a_document() -> float:
    figures = read(LENGTHS)["throughput"]
    return float(figures["tokens"] / figures["documents"])


def _by_ngrams() -> float:
    return float(read(CASCADE)["test"]["answered_by_ngrams"])
