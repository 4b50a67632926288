"""The analyzer on every script, where its n-grams stand, and a vectorizer that is read back as it was."""

import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hierarchy.errors import DataError
from stages.fine import ngrams as lexical
from stages.fine.ngrams import NgramVectorizer, fold, ngram_spans, ngrams

ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"  # a flag and, unseen, the letters g b e n g
SCOTLAND = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
SCRIPTS = st.text(st.sampled_from("aZé1_ -.+#,€🏽中文字仮名ไทย한국हिन्दी👍Ａ１ﬁ"), max_size=40)
# Whatever folds to something else or melts with its neighbours, among plain words of several scripts.
FOLDING = "ａＢ１ﬁﬃßẞİΣςſK㎏½…´①㍿ｶﾞﾊﾟᄀ각ᆨ가ﾡￂéȩ́Å̊क़ःো่שּׂﷺ豈𝒜"
WILD = st.text(
    st.sampled_from(f"ab Z_-.\n中文字仮ไท한👍+#(½№²™≠€🏽\u200d\ufe0f\u20e3{FOLDING}") | st.characters(), max_size=25
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Red kettles boil", ["red", "kettles", "red kettles", "boil", "kettles boil"]),
        ("中文字", ["中", "文", "字", "中文", "文字", "中文字"]),
        ("ไทย", ["ไ", "ท", "ย", "ไท", "ทย", "ไทย"]),
        ("買iPhone15手機", ["買", "iphone15", "買iphone15", "手", "機", "手機", "iphone15手"]),
        ("用LSTM，模型", ["用", "lstm", "用lstm", ",", "模", "型", "模型"]),
        ("第3條", ["第", "3", "第3", "條", "3條"]),
        ("好👍！", ["好", "👍", "好👍", "!"]),
        ("第 3 條", ["第", "3", "條"]),
        ("ＡＢＣ　１２３", ["abc", "123", "abc 123"]),
        ("ﬁne STRASSE straße", ["fine", "strasse", "fine strasse", "strasse", "strasse strasse"]),
        ("ｶﾀｶﾅ", ["カ", "タ", "カ", "ナ", "カタ", "タカ", "カナ", "カタカ", "タカナ"]),
        ("한국어 문서", ["한국어", "문서", "한국어 문서"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा", "हिन्दी भाषा"]),
        ("தமிழ் மொழி", ["தமிழ்", "மொழி", "தமிழ் மொழி"]),
        ("كِتَاب", ["كِتَاب"]),
        ("𠀀𠀁", ["𠀀", "𠀁", "𠀀𠀁"]),
        ("人々", ["人", "々", "人々"]),
        ("a b", ["a", "b", "a b"]),
        ("👍🏽 ✨", ["👍", "🏽", "👍 🏽", "✨", "🏽 ✨"]),
        ("👩\u200d🚒 ❤️ 1️⃣", ["👩", "🚒", "👩 🚒", "❤", "🚒 ❤", "1", "❤ 1"]),
        ("C++, C#", ["c", "+", "c +", "+", "+ +", ",", "c", "+ c", "#"]),
        ("\u200b\u00ad\ufeff", []),
        ("", []),
        ("   \n\t", []),
        ("don't", ["don", "'", "t", "don t"]),
        (
            ENGLAND,
            [
                "🏴",
                *(
                    part
                    for a, b in pairwise("🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067")
                    for part in (b, f"{a} {b}")
                ),
            ],
        ),
    ],
)
def test_ngrams_of_each_script(text, expected):
    assert ngrams(text) == expected


# Labels that differ in one lone character, which stands between words that both share.
PAIRS = [
    (f"flag {ENGLAND}", f"flag {SCOTLAND}"),
    ("diabetes type 1", "diabetes type 2"), ("C programmer", "C++ programmer"), ("C++ programmer", "C# programmer"),
    ("vitamin C", "vitamin D"), ("refund 👍", "refund 👎"), ("refund 👍🏻", "refund 👍🏿"), ("flag 🇩🇪", "flag 🇫🇷"),
    ("key 1️⃣", "key 2️⃣"), ("grade A+", "grade A-"), ("grade A", "grade A+"), ("№ 5", "№ 6"), ("x ≥ 5", "x ≤ 5"),
    ("$ 5", "€ 5"), ("5 %", "5 ‰"), ("really?", "really!"), ("fine :)", "fine :("), ("♀", "♂"), ("→", "←"),
    ("группа А", "группа Б"), ("ж", "ш"), ("رقم ١", "رقم ٢"), ("ห้อง ๑", "ห้อง ๒"), ("ビタミンC", "ビタミンD"),
    ("B형", "A형"), ("형 가", "형 나"), ("x²", "x³"), ("①", "②"), ("1,5", "1.5"), ("\ue000", "\ue001"),
    ("用C语言", "用R语言"), ("第3條", "第4條"), ("3 > 5", "5 > 3"), ("A+ B-", "A- B+"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_no_lone_character_is_lost(one, other):
    assert sorted(ngrams(f"seen today {one} follow up")) != sorted(ngrams(f"seen today {other} follow up"))


def test_what_is_seen_of_no_one_is_no_ngram():
    assert ngrams("a\u200db \ud83d \u200f❤️") == ngrams("a b ❤")


def test_a_run_without_spaces_parts_two_words():
    assert "red blue" not in ngrams("red 中 blue")
    assert "red blue" in ngrams("red, blue")


@given(SCRIPTS)
def test_folding_first_changes_nothing(text):
    assert ngrams(fold(text)) == ngrams(text)


@settings(deadline=None, max_examples=500)
@given(WILD)
def test_ngrams_stand_where_their_places_say(text):
    found = ngram_spans(text)
    assert [ngram for ngram, _, _ in found] == ngrams(text)
    for ngram, start, end in found:
        assert 0 <= start < end <= len(text)
        assert ngram in ngrams(text[start:end])


@settings(deadline=None, max_examples=200)
@given(st.text(st.sampled_from("abZéÉ １Ａ中文字-.ไท한"), max_size=30))
def test_where_characters_fold_one_by_one_a_place_holds_nothing_else(text):
    text = unicodedata.normalize("NFC", text)
    for ngram, start, end in ngram_spans(text):
        between = fold(text[start:end])
        assert (
            between == ngram or [between[: len(ngram.split()[0])], between[-len(ngram.split()[-1]) :]] == ngram.split()
        )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Red  KETTLES", {"red": "Red", "kettles": "KETTLES", "red kettles": "Red  KETTLES"}),
        ("我买ＡＢＣ", {"我": "我", "买": "买", "我买": "我买", "abc": "ＡＢＣ", "买abc": "买ＡＢＣ"}),
        ("eﬃcient STRAßE", {"efficient": "eﬃcient", "strasse": "STRAßE", "efficient strasse": "eﬃcient STRAßE"}),
        ("cafe\u0301s, late", {"cafés": "cafe\u0301s", ",": ",", "late": "late", "cafés late": "cafe\u0301s, late"}),
        (
            "ｘ ＞ 👍🏽",
            {"x": "ｘ", ">": "＞", "👍": "👍", "🏽": "🏽", "x >": "ｘ ＞", "> 👍": "＞ 👍", "👍 🏽": "👍🏽"},
        ),
        ("第１條", {"第": "第", "1": "１", "條": "條", "第1": "第１", "1條": "１條"}),
        ("½", {"1": "½", "\u2044": "½", "2": "½", "1 \u2044": "½", "\u2044 2": "½"}),
        ("ｶﾞ", {"ガ": "ｶﾞ"}),
        ("\u1112\u1161\u11ab글", {"한글": "\u1112\u1161\u11ab글"}),
        ("㍿", dict.fromkeys(("株", "式", "会", "社", "株式", "式会", "会社", "株式会", "式会社"), "㍿")),
        ("İstanbul", {"i̇stanbul": "İstanbul"}),
        ("o\u0327\u0301k", {"\u00f3\u0327k": "o\u0327\u0301k"}),
    ],
)
def test_places_of_what_folding_changes(text, expected):
    assert {ngram: text[start:end] for ngram, start, end in ngram_spans(text)} == expected


def test_places_are_right_where_a_character_melts_that_no_rule_knows(monkeypatch):
    monkeypatch.setattr(lexical, "_begins_stretch", lambda character: True)  # as if Unicode had new letters
    for text in ("cafe\u0301s late", "\u1112\u1161\u11ab글 ok", "한글 o\u0327\u0301k ab"):
        found = ngram_spans(text)
        assert [ngram for ngram, _, _ in found] == ngrams(text)
        assert all(ngram in ngrams(text[start:end]) for ngram, start, end in found)
    assert ("late", 7, 11) in ngram_spans("cafe\u0301s late")


@settings(deadline=None, max_examples=40)
@given(st.lists(SCRIPTS, min_size=1, max_size=25), st.lists(SCRIPTS, max_size=5))
def test_state_round_trip(texts, others):
    texts = ["some words", *texts]
    vectorizer, fitted = NgramVectorizer.fit([*texts, *texts], 2 * len(texts))
    again = NgramVectorizer(vectorizer.vocabulary, vectorizer.idf)
    assert again.vocabulary == vectorizer.vocabulary
    assert again.idf.tobytes() == vectorizer.idf.tobytes()
    for some in (texts, [*others, "some words"]):
        one, other = vectorizer.transform(some), again.transform(some)
        assert one.shape == other.shape == (len(some), len(vectorizer.vocabulary))
        assert one.data.tobytes() == other.data.tobytes()
        assert np.array_equal(one.indices, other.indices)
        assert np.array_equal(one.indptr, other.indptr)
    assert np.array_equal(fitted[: len(texts)].toarray(), again.transform(texts).toarray())


def test_features_are_sublinear_and_of_unit_length():
    vectorizer, features = NgramVectorizer.fit(["red red red blue", "red", "blue"], 3)
    assert features.dtype == np.float32
    assert np.allclose(features.multiply(features).sum(1), 1.0)
    column = {ngram: i for i, ngram in enumerate(vectorizer.vocabulary)}
    first, idf = features[0].toarray()[0], vectorizer.idf
    tf = first[[column["red"], column["blue"]]] / idf[[column["red"], column["blue"]]]
    assert tf[0] / tf[1] == pytest.approx(1 + np.log(3), rel=1e-5)


def test_pairs_of_words_weigh_less_than_words_as_rare():
    vectorizer, features = NgramVectorizer.fit(["red wine", "用模型 blue"], 2)
    idf = {ngram: vectorizer.idf[column] for ngram, column in vectorizer.columns.items()}
    assert idf["red wine"] == pytest.approx(0.7 * idf["red"])
    assert idf["用模型"] == idf["用模"] == idf["用"] == idf["red"]  # only pairs of words
    first = features[0].toarray()[0]
    assert first[vectorizer.columns["red wine"]] == pytest.approx(0.7 * first[vectorizer.columns["red"]])


def test_ngrams_of_one_document_are_left_out_of_large_sets_only():
    texts = ["common words here"] * 19
    small, _ = NgramVectorizer.fit([*texts[:18], "lonely words"], 19)
    large, _ = NgramVectorizer.fit([*texts, "lonely words"], 20)
    assert "lonely" in small.vocabulary
    assert "lonely" not in large.vocabulary
    assert "words" in large.vocabulary


@pytest.mark.parametrize(("min_df", "trigrams"), [(2, {"用模型"}), (6, set()), (1, {"用模型", "東京都", "ภาษ"})])
def test_rare_trigrams_of_characters_are_left_out_unless_everything_counts(min_df, trigrams):
    texts = ["用模型"] * 5 + ["東京都 three word run"] * 4 + ["ภาษ 1 2 3"] * 4 + ["filler"] * 7
    vectorizer, features = NgramVectorizer.fit(texts, len(texts), min_df=min_df)
    assert {ngram for ngram in vectorizer.vocabulary if len(ngram) == 3 and not ngram.isascii()} == trigrams
    if min_df < 6:
        assert {"東京", "ภา", "run", "word run", "1 2"} <= set(vectorizer.vocabulary)  # no other n-gram goes with them
    assert np.array_equal(features.toarray(), vectorizer.transform(texts).toarray())
    assert np.allclose(np.asarray(features.multiply(features).sum(1)).ravel(), features.getnnz(1) > 0)


def test_nothing_of_a_long_document_is_cut():
    text = " ".join(f"w{i}" for i in range(50_000))
    assert "w49998 w49999" in ngrams(text)


def test_text_without_ngrams_is_an_empty_row():
    vectorizer, _ = NgramVectorizer.fit(["red blue", "blue green"], 2)
    features = vectorizer.transform(["👍", "", "unheard of"])
    assert features.shape[0] == 3
    assert features.nnz == 0


@pytest.mark.parametrize(
    ("texts", "remedy"),
    [([" ", "\u200b"], "give documents with letters"), ([f"word{i}" for i in range(30)], "lower min_df")],
)
def test_no_ngrams_at_all_is_refused_with_a_remedy(texts, remedy):
    with pytest.raises(DataError, match=f"{remedy}.*, or set lexical: false"):
        NgramVectorizer.fit(texts, len(texts))


def test_a_single_ngram_is_not_reduced():
    _, features = NgramVectorizer.fit(["a", "a"], 2)
    assert lexical.reduced(features, random_state=0).tolist() == [[1], [1]]


def test_documents_of_nothing_but_digits_and_emoji_can_be_read():
    _, features = NgramVectorizer.fit(["1 2 3", "A", "👍", "?!"], 4)
    assert (features.getnnz(1) > 0).all()
