"""Each family of encoders exported: the vectors of torch, whatever stands beside a segment."""

import numpy as np
import pytest
from tiny_encoders import FAMILIES, save_tiny

from hierarchy.errors import EncoderError
from stages.coarse.encoder import Encoder
from stages.coarse.exported_encoder import ExportedEncoder, computes
from stages.coarse.exporting import export_encoder

pytestmark = pytest.mark.slow
LONGEST = 200  # tokens: beyond the local attention of the tiny encoders that have one


def cut(encoder, english):
    """Segments of mixed length, some as long as the encoder takes them, and the units of each."""
    segmenter = encoder.segmenter(segment_tokens=min(encoder.max_tokens, LONGEST), overlap=8, unit_tokens=16)
    segments = segmenter(["", "kettle", *english.test[0][:20], " ".join(english.test[0][:12])])
    assert len({len(ids) for ids in segments.input_ids}) > 5
    assert max(map(len, segments.input_ids)) == min(encoder.max_tokens, LONGEST)
    return segments.input_ids, segments.units


def torch_encoder(family, english, folder):
    return Encoder.from_pretrained(save_tiny(FAMILIES[family], english.train[0], folder), dtype="float32")


def cosines(one, other):
    return (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_vectors_are_those_of_torch(family, english, tmp_path):
    encoder = torch_encoder(family, english, tmp_path / "encoder")
    exported = export_encoder(encoder, tmp_path / "export", dtype="float32", segments=[])
    ids, units = cut(encoder, english)
    assert cut(exported, english)[1].tolist() == units.tolist()
    expected = encoder.encode(ids, units)
    together = exported.encode(ids, units, tokens_per_chunk=500)
    alone = np.concatenate([exported.encode([one], units[[place]]) for place, one in enumerate(ids)])
    assert np.abs(together - expected).max() < 1e-4
    assert np.abs(alone - expected).max() < 1e-4

    exported.save(tmp_path / "again")
    again = ExportedEncoder(tmp_path / "again")
    assert again.fingerprint() == exported.fingerprint()
    assert np.array_equal(again.encode(ids, units), exported.encode(ids, units))
    assert (again.hidden_size, again.max_tokens, again.pad_id) == (
        encoder.hidden_size, encoder.max_tokens, encoder.pad_id,
    )  # fmt: skip


def test_pooling_by_the_first_token_stays(english, tmp_path):
    name = save_tiny(FAMILIES["bert"], english.train[0], tmp_path / "encoder")
    encoder = Encoder.from_pretrained(name, pooling="cls", dtype="float32")
    exported = export_encoder(encoder, tmp_path / "export", dtype="float32", segments=[])
    ids, units = cut(encoder, english)
    assert units.max() == 1
    assert np.abs(exported.encode(ids, units) - encoder.encode(ids, units)).max() < 1e-4


def test_in_int8_the_vectors_are_much_the_same(english, tmp_path):
    encoder = torch_encoder("bert", english, tmp_path / "encoder")
    ids, units = cut(encoder, english)
    exported = export_encoder(encoder, tmp_path / "export", dtype="int8", segments=ids)
    found, expected = exported.encode(ids, units), encoder.encode(ids, units)
    assert cosines(found, expected).min() > 0.98
    assert np.abs(found - expected).max() > 1e-4  # it is quantized


def test_bfloat16_is_refused_where_the_processor_lacks_it(english, tmp_path):
    encoder = torch_encoder("bert", english, tmp_path / "encoder")
    if not computes("bfloat16"):
        with pytest.raises(EncoderError, match="this processor does not compute in bfloat16"):
            export_encoder(encoder, tmp_path / "export", dtype="bfloat16", segments=[])
        return
    exported = export_encoder(encoder, tmp_path / "export", dtype="bfloat16", segments=[])
    ids, units = cut(encoder, english)
    found = exported.encode(ids, units)
    assert found.dtype == np.float16
    assert cosines(found.astype(np.float32), encoder.encode(ids, units)).min() > 0.999
