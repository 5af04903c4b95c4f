"""What gives a person away, and nothing else."""

from __future__ import annotations

import pytest

from python_ml.privacy import traces
from python_ml.privacy.traces import Traces, fragments_of, plain_words

ID = Traces(frozenset(["C00002"]))


def test_fragments_are_runs_of_five_words_or_a_shorter_text_whole() -> None:
    assert fragments_of(["one two three four five six seven"], b"") == (
        b" one two three four five ",
        b" two three four five six ",
        b" three four five six seven ",
    )
    assert fragments_of(["One, two; THREE four"], b"") == (b" one two three four ",)
    assert fragments_of(["one two three"], b"") == (b" one two three ",)
    assert fragments_of(["one two"], b"") == ()


def test_fragments_that_others_have_said_are_left_out_and_none_comes_twice() -> None:
    said = ["one two three four five six", "one two three four five six", "a b c"]
    assert fragments_of(said, b" zero one two three four five ") == (
        b" two three four five six ",
        b" a b c ",
    )
    assert fragments_of(["a b c"], b" a b cd ") == (b" a b c ",), "words, not letters"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"A b-C1", b" a b c1 "),
        (rb"bill\nis\u00f1ot \"so\"", b" bill is ot so "),
        (b"a&amp;b &#39;c&nbsp;d", b" a b c d "),
        (b"a&amp;quot;b", b" a b "),
        (b"a%20b%2Cc", b" a b c "),
        (b"", b"  "),
    ],
)
def test_words_without_escapes(data: bytes, words: bytes) -> None:
    assert plain_words(data) == words


def test_seeds_are_in_everything_that_holds_a_trace() -> None:
    found = Traces(frozenset(["C2"]), (b" a longest b ", b" c d efg "), (), frozenset(["0AF"]))
    assert found.seeds == ("0af", "c2", "efg", "longest")


def test_mentions_are_counted_by_id_and_once_by_words() -> None:
    found = Traces(frozenset(["C2"]), (b" one two three ", b" two three four "))
    assert found.count(b"C2 and c2; one two three four") == 3
    assert found.count(b"c21 one three") == 0
    assert found.count(b"one TWO\\nthree") == 1
    assert Traces(frozenset(["C2"]), (), (), frozenset(["abc"])).count(b"abc C2 xabc") == 2


def test_traces_of_two_calls_are_joined() -> None:
    first = Traces(frozenset(["C1"]), (b" a ", b" b "), (b" t ",), frozenset(["h"]))
    second = Traces(frozenset(["C2"]), (b" b ", b" c "), (b" t ", b" u "), frozenset(["i"]))
    assert first.joined(second) == Traces(
        frozenset(["C1", "C2"]), (b" a ", b" b ", b" c "), (b" t ", b" u "), frozenset(["h", "i"])
    )


@pytest.mark.parametrize(
    ("column", "value", "is_record"),
    [
        ("customer_id", " c00002 ", True),
        ("any", "C00002", True),
        ("any", "of C00002", False),
        ("any", "h1", True),
        ("source_line", "1;C00002;x", True),
        ("source_line", "1;C000021;x", False),
        ("interaction_summary", "He said one two three four.", True),
        ("interaction_summary", "\udcff one two three four \udcfe", True),
        ("source_line", "\udcff;C00002", True),
        ("interaction_summary", "of C00002", False),
        ("note", "He said one two three four.", False),
    ],
)
def test_whose_a_record_is(column: str, value: str, is_record: bool) -> None:
    own = Traces(frozenset(["C00002"]), (b" one two three four ",), (), frozenset(["h1"]))
    assert own.is_record(column, value) is is_record


def test_a_text_goes_whole_and_of_a_cut_one_what_is_left() -> None:
    words = "one two three four five six seven eight"
    own = Traces(
        frozenset(["C2"]), fragments_of([words], b""), (plain_words(words.encode()),), frozenset()
    )
    assert own.redact(f"He: {words}. C2") == "He: (forgotten). (forgotten)"
    assert not own.is_in(own.redact("two three four five six seven and"))
    assert own.redact("x one two three four five!") == "x (forgotten)!"
    assert own.redact("one two three four") == "one two three four"
    assert own.redact(f"{words.upper()}\n{words}") == "(forgotten)\n(forgotten)"


def test_short_texts_are_counted() -> None:
    own = Traces(frozenset(), (), (b" a b c ", b" a b ", b" a ", b"  "))
    assert own.short_text_count == 3


def test_fragments_that_follow_each_other_are_one_piece_to_replace() -> None:
    merged = traces._merged([b" a b c ", b" b c d ", b" x y z ", b" c d e "])
    assert merged[0] == ["a", "b", "c", "d"]
    assert sorted(map(len, merged), reverse=True) == list(map(len, merged))
    assert ["x", "y", "z"] in merged and ["c", "d", "e"] in merged


def test_blocks_overlap_and_cut_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "_BLOCK", 10)
    monkeypatch.setattr(traces, "_OVERLAP", 4)
    assert list(traces._blocks(b"")) == []
    assert list(traces._blocks(b"ab cd")) == [b"ab cd"]
    assert list(traces._blocks(b"0123456789")) == [b"0123456789"]
    assert list(traces._blocks(b"aa bb cc ddd ee ff")) == [b"aa bb cc ddd", b"ddd ee ff"]
    assert list(traces._blocks(b"x" * 25)) == [b"x" * 25]
    for data in (b"ab cde f gh ijk lm nop q rs", b"a  b  c  d  e  f  g  h", b"abcdefghijklm no p"):
        blocks = list(traces._blocks(data))
        assert all(block in data for block in blocks) and data.startswith(blocks[0])
        assert data.endswith(blocks[-1])
        assert {word for block in blocks for word in block.split()} == set(data.split())
