"""What gives a person away in data: customer ids, and words that nobody else has used.

Files quote one text in many ways: escaped for JSON, HTML or a URL, in UTF-8 or Latin-1, with
another line break, cut in two. All of them agree on the runs of ASCII letters and digits, so ids
and texts are compared as sequences of those.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property

from python_ml.contracts.schema import load_source

REMOVED = "(forgotten)"
SOURCE_LINE = "source_line"  # a rejected row as it stood in the raw file
TEXT_HASH = "text_hash"
_FRAGMENT = 5  # words; a text that was cut still has some fragment whole
_SHORTEST = 3  # words; fewer are said by everybody

# An escaped character of JSON, HTML or a URL.
_ESCAPED = r"\\+(?:u[0-9a-fA-F]{4}|[nrtbfv\"/])?|&(?:amp;)*#?\w{1,10};|%[0-9a-fA-F]{2}"
_ESCAPE = re.compile(_ESCAPED.encode())
_WORD = re.compile(rb"[a-z0-9]+")
_BEFORE = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbfv])|(?<=\\u[0-9a-fA-F]{4})|(?<=%[0-9a-fA-F]{2}))"
_BETWEEN = rf"(?:{_ESCAPED}|[^A-Za-z0-9])+"
_BLOCK, _OVERLAP = 1 << 24, 1 << 16  # bytes that are searched at a time


@cache
def text_columns() -> frozenset[str]:
    """Names under which a file may hold what customers said."""
    return frozenset(
        load_source("raw")["customer_interactions"].column("interaction_summary").names
    )


@cache
def customer_columns() -> frozenset[str]:
    """Names under which a file may hold customer ids."""
    return frozenset(load_source("raw")["customer_interactions"].column("customer_id").names)


def plain_words(data: bytes) -> bytes:
    """Runs of ASCII letters and digits, in lower case, with one space around each."""
    return b" " + b" ".join(_WORD.findall(_ESCAPE.sub(b" ", data).lower())) + b" "


def fragments_of(texts: Iterable[str], of_others: bytes) -> tuple[bytes, ...]:
    """Sequences of words by which some texts are recognised, also in part.

    Args:
        texts: what the person said.
        of_others: what everybody else said, as `plain_words` gives it. Sequences that it holds
            give nobody away.
    """
    found: dict[bytes, None] = {}
    for text in texts:
        words = plain_words(text.encode()).split()
        if len(words) < _SHORTEST:
            continue
        for start in range(max(len(words) - _FRAGMENT, 0) + 1):
            fragment = b" " + b" ".join(words[start : start + _FRAGMENT]) + b" "
            if fragment not in of_others:
                found[fragment] = None
    return tuple(found)


@dataclass(frozen=True)
class Traces:
    """Customer ids, fragments of texts as `fragments_of` gives them, whole texts as `plain_words`
    gives them, and hashes of those."""

    customer_ids: frozenset[str]
    fragments: tuple[bytes, ...] = ()
    texts: tuple[bytes, ...] = ()
    text_hashes: frozenset[str] = frozenset()

    @property
    def short_text_count(self) -> int:
        """Texts of so few words that by them nobody could be told: they are not searched for."""
        return sum(len(text.split()) < _SHORTEST for text in self.texts)

    @cached_property
    def seeds(self) -> tuple[str, ...]:
        """Lower-case strings, of which everything that holds a trace holds one."""
        longest = {max(fragment.split(), key=len).decode() for fragment in self.fragments}
        return tuple(
            sorted({each.lower() for each in self.customer_ids | self.text_hashes} | longest)
        )

    def joined(self, other: Traces) -> Traces:
        """These and the traces of another call."""
        return Traces(
            self.customer_ids | other.customer_ids,
            tuple(dict.fromkeys((*self.fragments, *other.fragments))),
            tuple(dict.fromkeys((*self.texts, *other.texts))),
            self.text_hashes | other.text_hashes,
        )

    def count(self, data: bytes) -> int:
        """Mentions in a text, encoded in anything that contains ASCII."""
        low = data.lower()
        if not any(seed in low for seed in self._seeds):
            return 0
        words = plain_words(data)
        mentions = sum(words.count(each) for each in self._ids)
        return mentions + any(fragment in words for fragment in self.fragments)

    def count_long(self, data: bytes | mmap.mmap) -> int:
        """The same for data of any size, such as a mapped file, block by block."""
        return sum(self.count(block) for block in _blocks(data))

    def is_in(self, value: str) -> bool:
        """Whether a value mentions the person."""
        return bool(self.count(value.encode(errors="surrogateescape")))

    def is_record(self, column: str, value: str) -> bool:
        """Whether a record is the person's because of this value, not only mentions the person."""
        if value.strip().upper() in self._upper_ids or value in self.text_hashes:
            return True
        if column == SOURCE_LINE:
            return self.is_in(value)
        return column in text_columns() and self._quotes(value)

    def redact(self, value: str) -> str:
        """A text with every mention replaced."""
        return self._mention.sub(REMOVED, value) if self.is_in(value) else value

    @cached_property
    def _seeds(self) -> tuple[bytes, ...]:
        return tuple(seed.encode() for seed in self.seeds)

    @cached_property
    def _ids(self) -> tuple[bytes, ...]:
        return tuple(plain_words(each.encode()) for each in self.customer_ids | self.text_hashes)

    @cached_property
    def _upper_ids(self) -> frozenset[str]:
        return frozenset(each.upper() for each in self.customer_ids)

    @cached_property
    def own_columns(self) -> frozenset[str]:
        """Columns that say whose a record is."""
        return customer_columns() | text_columns()

    def _quotes(self, value: str) -> bool:
        words = plain_words(value.encode(errors="surrogateescape"))
        return any(fragment in words for fragment in self.fragments)

    @cached_property
    def _mention(self) -> re.Pattern[str]:
        wanted = [re.escape(each) for each in sorted(self.customer_ids | self.text_hashes)]
        # A whole text goes whole, also what others have said like it; then what is left of one.
        whole = [text.decode().split() for text in self.texts]
        wanted += [_BETWEEN.join(words) for words in whole if len(words) >= _SHORTEST]
        wanted += [_BETWEEN.join(words) for words in _merged(self.fragments)]
        return re.compile(rf"{_BEFORE}(?:{'|'.join(wanted)})(?![A-Za-z0-9])", re.IGNORECASE)


def _merged(fragments: Collection[bytes]) -> list[list[str]]:
    """Words of texts, longest first: neighbouring fragments joined, then each for itself."""
    listed = [fragment.decode().split() for fragment in fragments]
    joined: list[list[str]] = []
    for words in listed:
        if joined and joined[-1][-len(words) + 1 :] == words[:-1]:
            joined[-1] = [*joined[-1], words[-1]]
        else:
            joined.append(list(words))
    return sorted([*joined, *listed], key=len, reverse=True)


def _blocks(data: bytes | mmap.mmap) -> Iterator[bytes]:
    """Overlapping parts of long data, none of which begins or ends within a word."""
    start, size = 0, len(data)
    while start < size:
        end = min(start + _BLOCK, size)
        while end < size and data[end : end + 1].isalnum():
            end += 1
        yield bytes(data[start:end])
        if end >= size:
            return
        start = end - _OVERLAP
        while data[start - 1 : start].isalnum() and start < end:
            start += 1
