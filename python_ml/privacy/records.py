"""Removal of a person from texts: whole records of CSV, JSON and HTML, and mentions elsewhere.

What is not removed stays as it was, byte for byte: order, spelling of numbers, layout, encoding.
Bytes are read as Latin-1 or, in JSON, as UTF-8 with whatever is no UTF-8 kept, so that every
encoding that contains ASCII comes out as it went in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from python_ml.contracts.schema import DELIMITERS
from python_ml.privacy.containers import Bytes
from python_ml.privacy.traces import Traces

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_SCRIPT = re.compile(r'(<script\b[^>]*type="application/json"[^>]*>)(.*?)(</script>)', re.S | re.I)
_ROWS = tuple(
    re.compile(rf"[ \t]*<{tag}\b(?:(?!<{tag}\b).)*?</{tag}>\n?", re.S | re.I)
    for tag in ("tr", "li", "option")
)


def edit_text(name: str, data: bytes, traces: Traces) -> bytes:
    """A text file without a person; by its name it is known what a record of it is."""
    name = name.lower()
    if name.endswith((".csv", ".tsv")):
        return edit_csv(data, traces)
    if name.endswith((".html", ".htm")):
        return _on_text(data, traces, _edit_html)
    if name.endswith(".md"):
        return _on_text(data, traces, _edit_markdown)
    if name.endswith((".json", ".jsonl", ".ndjson")) or data.lstrip()[:1] in (b"{", b"["):
        return _on_text(data, traces, edit_json)
    return _on_text(data, traces, lambda text, _: traces.redact(text))


def edit_csv(data: Bytes, traces: Traces) -> bytes:
    """CSV without the records of a person; a quoted field may hold delimiters and line breaks."""
    parts, at = [], 0
    for span, replacement in csv_edits(data, traces):
        parts += [data[at : span.start], replacement]
        at = span.stop
    return b"".join([*parts, data[at:]])


def csv_edits(data: Bytes, traces: Traces) -> Iterator[tuple[slice, bytes]]:
    """Which records of a CSV are the person's or mention the person, and what takes their place."""
    names, one, field = _layout(data)
    for span in _records(data, one, field, traces):
        record = data[span]
        if not traces.may_be_in(record):
            continue
        values = _fields(record, one, field)
        padded = [*names, *[""] * len(values)]
        if not traces.count(record) and not any(map(traces.is_in_field, padded, values)):
            continue
        is_own = span.start > 0 and any(map(traces.is_record, padded, values))
        yield span, b"" if is_own else _redacted(record, traces)


def count_numbered(data: Bytes, traces: Traces) -> int:
    """Records of a CSV that a column of ids, with a number for an id, says are the person's."""
    if traces.id_columns.isdisjoint(_layout(data)[0]):
        return 0
    return sum(not replacement for _, replacement in csv_edits(data, traces))


def _layout(data: Bytes) -> tuple[list[str], bytes, bytes]:
    """Names of a CSV's columns in lower case, and the patterns of its delimiter and of a field."""
    end_of_header = re.search(rb"[\r\n]|\Z", data)
    assert end_of_header is not None
    header = data[: end_of_header.start()]
    delimiter = max(DELIMITERS.encode(), key=header.count)
    one = re.escape(bytes([delimiter]))
    field = rb'(?:"(?:[^"]|"")*+"(?=' + one + rb"|[\r\n]|\Z)|[^\r\n" + one + rb"]*)"
    return [each.strip().lower() for each in _fields(header, one, field)], one, field


def _records(data: Bytes, delimiter: bytes, field: bytes, traces: Traces) -> Iterator[slice]:
    """Where records lie; of a file without quotes, in which they are lines, only suspects."""
    if data.find(b'"') >= 0:
        record = re.compile(field + rb"(?:" + delimiter + field + rb")*(?:\r\n|\r|\n|\Z)")
        yield from (slice(*match.span()) for match in record.finditer(data))
        return
    seeds = re.compile("|".join(map(re.escape, traces.seeds)).encode(), re.IGNORECASE)
    end = 0
    for match in seeds.finditer(data):
        if match.start() >= end:
            start = max(
                data.rfind(b"\n", end, match.start()), data.rfind(b"\r", end, match.start())
            )
            ending = re.compile(rb"\r\n|\r|\n|\Z").search(data, match.end())
            assert ending is not None
            start, end = (end if start < 0 else start + 1), ending.end()
            yield slice(start, end)


def _fields(record: bytes, delimiter: bytes, field: bytes) -> list[str]:
    """Values of a record, as Latin-1."""
    record = record.rstrip(b"\r\n")
    found = re.findall(rb"(?:\A|" + delimiter + rb")(" + field + rb")", record)
    texts = [each.decode("latin-1").removeprefix("ï»¿") for each in found]
    # Doubled quotes within stay so: ids have none, and texts are compared by their words.
    return [each[1:-1] if each[:1] == '"' else each for each in texts]


def _redacted(record: bytes, traces: Traces) -> bytes:
    return traces.redact(record.decode("latin-1")).encode("latin-1")


def _on_text(data: bytes, traces: Traces, edit: Callable[[str, Traces], str]) -> bytes:
    return edit(data.decode("utf-8", "surrogateescape"), traces).encode("utf-8", "surrogateescape")


def _edit_markdown(text: str, traces: Traces) -> str:
    lines = text.splitlines(keepends=True)
    kept = [line for line in lines if not (line.lstrip().startswith("|") and traces.is_in(line))]
    return traces.redact("".join(kept))


def _edit_html(text: str, traces: Traces) -> str:
    text = _SCRIPT.sub(lambda m: m[1] + edit_json(m[2], traces) + m[3], text)
    for rows in _ROWS:
        text = rows.sub(lambda match: "" if traces.is_in(match[0]) else match[0], text)
    return traces.redact(text)


def edit_json(text: str, traces: Traces) -> str:
    """JSON without the records of a person: one document, or one after the other.

    A record is an element of a list with the id, or a text, among its values, or the member of an
    object that is named by the id. What is no JSON is a text; the mentions in it are replaced.
    """
    parts, at = [], 1 if text.startswith("\ufeff") else 0
    parts.append(text[:at])
    while at < len(text):
        start = _skip(text, at)
        try:
            value, end = _DECODER.raw_decode(text, start)
        except ValueError:
            line_end = text.find("\n", start)
            end = len(text) if line_end < 0 else line_end
            parts += [text[at:start], traces.redact(text[start:end])]
        else:
            lead, document = text[at:start], text[start:end]
            is_only = not (text[:start] + text[end:]).strip()
            if isinstance(value, dict) and _is_record(value, traces, own_keys_only=is_only):
                lead, document = "", ""
                end = _skip(text, end) if at <= 1 else end  # nor is a line of the first one left
            parts += [lead, _edit(document, 0, traces)]
        at = end
    return "".join(parts)


def json_documents(text: str) -> Iterator[Any]:
    """Objects and lists of a JSON text: one document, or one after the other."""
    at = 0
    while (at := _skip(text, at)) < len(text):
        try:
            value, at = _DECODER.raw_decode(text, at)
        except ValueError:
            line_end = text.find("\n", at)
            at = len(text) if line_end < 0 else line_end
            continue
        if isinstance(value, dict | list):
            yield value


def is_record_of(data: bytes, traces: Traces) -> bool:
    """Whether a JSON file is one record, which is the person's."""
    try:
        value = json.loads(data)
    except ValueError:
        return False
    return isinstance(value, dict) and _is_record(value, traces, own_keys_only=True)


def _is_record(value: Any, traces: Traces, *, own_keys_only: bool = False) -> bool:
    """Whether a decoded value is a record of the person."""
    if isinstance(value, str):
        return traces.is_record("", value)
    if isinstance(value, list):
        return any(isinstance(each, str) and traces.is_record("", each) for each in value)
    if isinstance(value, dict):
        texts = [(key, str(each)) for key, each in value.items() if isinstance(each, str | int)]
        if own_keys_only:
            texts = [(key, each) for key, each in texts if key.lower() in traces.own_columns]
        return any(traces.is_record(key.lower(), each) for key, each in texts)
    return False


def _edit(text: str, at: int, traces: Traces) -> str:
    """The JSON value that begins at `at` and ends with the text, edited."""
    if not traces.is_in(text[at:]):
        return text[at:]
    match text[at : at + 1]:
        case "{":
            return _edit_children(text, at, traces, is_object=True)
        case "[":
            return _edit_children(text, at, traces, is_object=False)
        case '"':
            value = json.loads(text[at:])
            return json.dumps(traces.redact(value), ensure_ascii=False)
    return text[at:]


def _edit_children(text: str, at: int, traces: Traces, *, is_object: bool) -> str:
    """A list or object, with the layout of what stays."""
    kept: list[list[str]] = []  # before the child, the child, after it
    opening, closing = text[at], "}" if is_object else "]"
    at, tail = at + 1, ""
    head: str | None = None
    while text[start := _skip(text, at)] != closing:
        before, key = text[at:start], ""
        head = before if head is None else head
        if is_object:
            key, key_end = _DECODER.raw_decode(text, start)
            value_start = _skip(text, _skip(text, key_end) + 1)
            label = text[start:value_start]
        else:
            value_start, label = start, ""
        value, end = _DECODER.raw_decode(text, value_start)
        after_end = _skip(text, end)
        if not _goes(key, value, traces, is_object=is_object):
            child = _edit(text[value_start:end], 0, traces)
            kept.append([before, traces.redact(label) + child, text[end:after_end]])
        tail = text[end:after_end]
        at = after_end + (text[after_end] == ",")
    if not kept:
        return opening + closing
    kept[0][0], kept[-1][2] = head or "", tail
    return opening + ",".join("".join(child) for child in kept) + closing


def _goes(key: str, value: Any, traces: Traces, *, is_object: bool) -> bool:
    """Whether a child of a list or object goes whole."""
    if is_object:
        return traces.is_record("", key) or (isinstance(value, dict) and _is_record(value, traces))
    return _is_record(value, traces)


def _skip(text: str, at: int) -> int:
    """Where the white space from here on ends."""
    match = _SPACE.match(text, at)
    assert match is not None
    return match.end()
