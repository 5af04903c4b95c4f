"""Records go whole, and everything else stays byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest

from python_ml.privacy.person import traces_in
from python_ml.privacy.records import (
    edit_csv,
    edit_json,
    edit_text,
    is_record_of,
    json_documents,
)
from python_ml.privacy.traces import Traces, plain_words

GONE = "C00002"
SAID = 'He said "the bill is wrong",\nand that año after año nobody answers his letters.'
TRACES = traces_in(GONE, {SAID}, {"The bill is right.", "Nobody answers."})
ID = Traces(frozenset([GONE]))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_a_csv_record_with_a_quoted_line_break_goes_whole(
    delimiter: str, end: str, encoding: str
) -> None:
    rows = [
        ["customer_id", "note"],
        ["C00001", '"año, first\nsecond; ""half"" | third"'],
        [GONE, '"año, first\nsecond; ""half"" | third"'],
        ["C000021", '5" pipe'],
        [f'"{GONE}"', "x"],
    ]
    lines = [delimiter.join(row) for row in rows]
    edited = edit_csv(end.join([*lines, ""]).encode(encoding), ID)
    assert edited == end.join([lines[0], lines[1], lines[3], ""]).encode(encoding)


def test_csv_without_quotes_and_without_a_last_line_break() -> None:
    text = f"client_id,churn\nC00001,0\n{GONE},1\nC00003,0\n{GONE},1"
    assert edit_csv(text.encode(), ID) == b"client_id,churn\nC00001,0\nC00003,0\n"
    assert (
        edit_csv(text.replace("\n", "\r").encode(), ID) == b"client_id,churn\rC00001,0\rC00003,0\r"
    )


def test_what_is_left_of_a_text_goes_and_a_mention_by_others_is_replaced() -> None:
    rest = (
        "customer_id,interaction_summary\n"
        ',"and that año after año nobody answers his letters."\n'
        f'C00001,"spoke of {GONE}, twice"\n'
    )
    edited = edit_csv(rest.encode(), TRACES).decode()
    assert edited == 'customer_id,interaction_summary\nC00001,"spoke of (forgotten), twice"\n'


ARRAY = """[
{"customer_id": "C00001", "v": 1.10},
{"customer_id": "C00002", "v": 2},
{"customer_id": "C00003", "v": 1e2}
]
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ARRAY, ARRAY.replace('{"customer_id": "C00002", "v": 2},\n', "")),
        (f'[{{"id": "{GONE}"}}]', "[]"),
        (f'[\n{{"a": 1}},\n{{"id": "{GONE}"}}\n]\n', '[\n{"a": 1}\n]\n'),
        (
            f'{{"data": [{{"id": "{GONE}"}}, {{"id": "x"}}], "n": 2}}',
            '{"data": [{"id": "x"}], "n": 2}',
        ),
        (f'{{"id": "x"}}\n{{"id": "{GONE}"}}\n{{"id": "y"}}\n', '{"id": "x"}\n{"id": "y"}\n'),
        (f'{{"{GONE}": {{"p": 0.5}}, "C00003": {{"p": 1}}}}', '{"C00003": {"p": 1}}'),
        (f'{{"rows": [["{GONE}", 0.9], ["C00003", 0.1]]}}', '{"rows": [["C00003", 0.1]]}'),
        (
            f'{{"ids": ["C00001", "{GONE}"], "why": "of {GONE}."}}',
            '{"ids": ["C00001"], "why": "of (forgotten)."}',
        ),
        (f'{{"broken: {GONE}\n{{"id": "x"}}\n', '{"broken: (forgotten)\n{"id": "x"}\n'),
        (f'\ufeff[{{"id": "{GONE}"}}, {{"id": "C000021"}}]', '\ufeff[{"id": "C000021"}]'),
    ],
)
def test_json_stays_valid_and_as_it_was(text: str, expected: str) -> None:
    edited = edit_json(text, ID)
    assert edited.split() == expected.split()
    if "broken" not in text and "\n{" not in text:
        json.loads(edited.removeprefix("\ufeff"))


def test_the_layout_of_a_json_array_stays() -> None:
    assert edit_json(ARRAY, ID) == ARRAY.replace('{"customer_id": "C00002", "v": 2},\n', "")
    last = ARRAY.replace("C00002", "C00009").replace("C00003", GONE)
    assert edit_json(last, ID).endswith('"v": 2}\n]\n')


def test_html_rows_go_whole_and_embedded_json_is_edited_as_such() -> None:
    page = (
        f"<ul><li>{GONE} left</li><li>C00003 stays</li></ul>"
        f"<table><tr><td>{GONE}</td><td>0.93</td></tr>\n<tr><td>C00003</td></tr></table>"
        f'<script type="application/json" id="d">{{"rows": [["{GONE}", 0.93], ["C3", 1]]}}</script>'
    )
    edited = edit_text("page.html", page.encode(), ID).decode()
    assert "0.93" not in edited and GONE not in edited and "(forgotten)" not in edited
    assert "C00003 stays" in edited and "<tr><td>C00003</td></tr>" in edited
    table = f"| customer | p |\n| --- | --- |\n| {GONE} | 0.93 |\n| C00003 | 0.1 |\n\nSee {GONE}.\n"
    assert edit_text("card.md", table.encode(), ID).decode() == (
        "| customer | p |\n| --- | --- |\n| C00003 | 0.1 |\n\nSee (forgotten).\n"
    )


@pytest.mark.parametrize(
    "quoted",
    [
        SAID,
        SAID.upper().replace("AÑO", "AñO"),
        json.dumps(SAID),
        json.dumps({"nested": json.dumps({"text": SAID})}),
        SAID.replace('"', "&quot;").replace("ñ", "&ntilde;"),
        SAID.replace('"', '""').replace("\n", "\r\n"),
        "%20".join(SAID.split(" ")),
        SAID[: len(SAID) // 2],
        SAID[len(SAID) // 2 :],
    ],
)
def test_a_text_is_known_again_however_it_is_quoted(quoted: str) -> None:
    assert TRACES.is_in(quoted)
    assert TRACES.count(quoted.encode("latin-1", "replace"))
    assert not TRACES.is_in(TRACES.redact(quoted))


def test_words_that_others_use_give_nobody_away() -> None:
    everybody = "Asked for a better price before the renewal."
    traces = traces_in(GONE, {everybody, "Short text."}, {everybody})
    assert traces.fragments == ()
    assert not traces.is_in(everybody + " Short text.")
    own = "Asked for a better price before the renewal of his aunt."
    traces = traces_in(GONE, {own}, {everybody})
    assert traces.is_in(own) and not traces.is_in(everybody)
    assert traces.redact(f"note: {own}") == "note: (forgotten)."


@pytest.mark.parametrize("text", ["C000021", "XC00002", "C0000", "#c0000 2"])
def test_an_id_within_a_longer_word_is_another(text: str) -> None:
    assert not ID.is_in(text)
    assert plain_words(text.encode()) != plain_words(GONE.encode())


@pytest.mark.parametrize("text", ["id_C00002_", '"\\nC00002"', "c00002", "%20C00002.", "(C00002)"])
def test_an_id_is_found_between_anything(text: str) -> None:
    assert ID.is_in(text)
    assert not ID.is_in(ID.redact(text))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.json", f'[{{"id": "{GONE}"}}, {{"id": "x"}}]', '[{"id": "x"}]'),
        ("a.JSONL", f'{{"id": "{GONE}"}}\n{{"id": "x"}}\n', '{"id": "x"}\n'),
        ("a.ndjson", f'{{"id": "{GONE}"}}\n{{"id": "x"}}\n', '{"id": "x"}\n'),
        ("a.log", f' [{{"id": "{GONE}"}}, {{"id": "x"}}]', ' [{"id": "x"}]'),
        ("a.log", f'{{"rows": [{{"id": "{GONE}"}}]}}', '{"rows": []}'),
        ("a.log", f'ran "{GONE}", {{"id": 1}}', 'ran "(forgotten)", {"id": 1}'),
        ("a.json", f'"of {GONE}"', '"of (forgotten)"'),
        ("a.tsv", f"id\tn\n{GONE}\t1\nx\t2\n", "id\tn\nx\t2\n"),
        ("a.CSV", f"id,n\n{GONE},1\nx,2\n", "id,n\nx,2\n"),
        ("a.htm", f"<ul><li>{GONE}</li><li>x</li></ul>", "<ul><li>x</li></ul>"),
        ("a.MD", f"| a |\n| {GONE} |\n", "| a |\n"),
        (
            "a.json",
            f'{{"why": "año de {GONE}", "n": [1]}}',
            '{"why": "año de (forgotten)", "n": [1]}',
        ),
    ],
)
def test_a_name_or_the_first_character_says_what_a_record_is(
    name: str, text: str, expected: str
) -> None:
    assert edit_text(name, text.encode(), ID).decode() == expected


def test_json_documents_are_objects_and_lists_one_after_the_other() -> None:
    text = '[1, {"a": 2}]\n{"b": 1}\n7 "x"\n{torn\n[]\n{"c": [3]}'
    assert list(json_documents(text)) == [[1, {"a": 2}], {"b": 1}, [], {"c": [3]}]
    assert list(json_documents("\n torn")) == list(json_documents("")) == []


@pytest.mark.parametrize(
    ("document", "is_record"),
    [
        ({"customer_id": GONE, "p": 1}, True),
        ({"interaction_summary": SAID}, True),
        ({"note": GONE}, False),
        ({"note": {"customer_id": GONE}}, False),
        ([GONE], False),
        (GONE, False),
    ],
)
def test_a_file_is_one_record_if_it_says_whose_it_is(document: Any, is_record: bool) -> None:
    assert is_record_of(json.dumps(document).encode(), TRACES) is is_record
    assert not is_record_of(json.dumps(document).encode()[:-1], TRACES)


def test_lines_of_a_csv_without_quotes_that_mention_others_too() -> None:
    """Suspects are lines with a seed of the traces, each looked at once."""
    text = f"id,n\nx,of {GONE} and {GONE}\nC000021,1\n{GONE},{GONE}\ny,2"
    edited = edit_csv(text.encode(), ID).decode()
    assert edited == "id,n\nx,of (forgotten) and (forgotten)\nC000021,1\ny,2"
    assert edit_csv(f"{GONE},n\nx,1\n".encode(), ID) == b"(forgotten),n\nx,1\n", "a header stays"
    assert edit_csv(f'{GONE},"n"\nx,1\n'.encode(), ID) == b'(forgotten),"n"\nx,1\n'
    assert edit_csv(f"id,n\nx,1,{GONE}\n".encode(), ID) == b"id,n\n", "a column too many"


def test_the_rows_of_a_page_go_whole_however_they_are_written() -> None:
    page = (
        f"<TABLE>\n<TR>\n<td>{GONE}</td>\n</TR>\n<tr><td>C00001</td></tr>\n</TABLE>\n"
        f'<script type="application/json">[{{"id": "C00001"}}, {{"id": "{GONE}"}}]</script>'
    )
    assert edit_text("page.html", page.encode(), ID).decode() == (
        "<TABLE>\n<tr><td>C00001</td></tr>\n</TABLE>\n"
        '<script type="application/json">[{"id": "C00001"}]</script>'
    )


def test_embedded_json_is_edited_as_such_over_lines_and_in_capitals() -> None:
    page = (
        '<SCRIPT TYPE="application/json">\n{"rows": [\n["C00002", 0.93],\n["C3", 1]\n]}\n</SCRIPT>'
    )
    expected = '<SCRIPT TYPE="application/json">\n{"rows": [\n["C3", 1]\n]}\n</SCRIPT>'
    assert edit_text("page.html", page.encode(), ID).decode() == expected


def test_a_text_with_quotes_is_known_in_a_csv() -> None:
    said = 'They call it "fair", and I call it a bad joke.'
    traces = traces_in(GONE, {said}, {"They call it fair."})
    quoted = said.replace('"', '""')
    rows = f'interaction_summary,n\n"{quoted}",1\nother,2\n'
    assert edit_csv(rows.encode(), traces) == b"interaction_summary,n\nother,2\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"note": "C00002", "n": 1}', '{"note": "(forgotten)", "n": 1}'),
        ('{"customer_id": "C00002", "n": 1}', ""),
        # One of many is a record by any of its values.
        ('{"note": "C00002", "n": 1}\n{"n": 2}\n', '{"n": 2}\n'),
    ],
)
def test_a_document_that_stands_alone_is_a_record_if_it_says_whose_it_is(
    text: str, expected: str
) -> None:
    assert edit_json(text, ID) == expected


def test_a_quoted_header_and_quoted_values_are_read_without_their_quotes() -> None:
    text = f'"interaction_summary";"id"\n"x";" {GONE}"\n"y";"C00001"\n'
    assert edit_csv(text.encode(), ID) == b'"interaction_summary";"id"\n"y";"C00001"\n'


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.NDJSON"])
def test_a_file_of_documents_may_begin_with_a_line_that_is_none(name: str) -> None:
    text = f'torn by {GONE}\n{{"id": "{GONE}"}}\n{{"id": "x"}}\n'
    expected = 'torn by (forgotten)\n{"id": "x"}\n'
    assert edit_text(name, text.encode(), ID).decode().replace("\n\n", "\n") == expected


def test_choices_of_a_page_go_whole_too() -> None:
    page = f"<select>\n  <option value='{GONE}'>{GONE}</option>\n  <option>C3</option>\n</select>"
    expected = "<select>\n  <option>C3</option>\n</select>"
    assert edit_text("page.html", page.encode(), ID).decode() == expected


def test_a_record_may_follow_an_empty_first_line() -> None:
    assert edit_csv(f"\n{GONE},1\nx,2\n".encode(), ID) == b"\nx,2\n"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.json", '{"n": "año", "ids": ["C00002", "C3"]}', '{"n": "año", "ids": ["C3"]}'),
        ("a.txt", "año de C00002", "año de (forgotten)"),
        ("a.md", "| C00002 |\n| año |\n", "| año |\n"),
        ("a.html", "<li>C00002</li><li>año</li>", "<li>año</li>"),
    ],
)
def test_what_is_no_utf_8_comes_out_as_it_went_in(name: str, text: str, expected: str) -> None:
    assert edit_text(name, text.encode("latin-1"), ID) == expected.encode("latin-1")


def test_a_number_that_looks_like_the_id_is_left_to_the_search() -> None:
    text = '[12345, {"n": 12345, "id": 7}]'
    assert edit_json(text, Traces(frozenset(["12345"]))) == text


def test_a_file_whose_first_character_is_a_quote_has_quotes() -> None:
    text = f'"id","n"\n"{GONE}","a\nb"\n"x","y"\n'
    assert edit_csv(text.encode(), ID) == b'"id","n"\n"x","y"\n'
