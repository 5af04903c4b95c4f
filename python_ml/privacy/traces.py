"""What gives a person away in data: customer ids, and words that nobody else has used.

Files quote one text in many ways: escaped for JSON, HTML or a URL, in UTF-8 or Latin-1, with
another line break, cut in two. All of them agree on the runs of ASCII letters and digits, so ids
and texts are compared as sequences of those.

An id of digits alone equals any number that happens to be the same. It counts only where ids stand:
in a column or member that is named for them, or in a text right after such a name.
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
_EXPLAINED = "explain"  # in names of files
# What a text calls the number of a customer, besides the names of columns.
_ID_WORDS = ("customer", "client", "cliente")
_AFTER_NAME = rf"(?:{_ESCAPED}|[^A-Za-z0-9\r\n]){{1,12}}"
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
    gives them, hashes of those, and what the company's own files call customer ids."""

    customer_ids: frozenset[str]
    fragments: tuple[bytes, ...] = ()
    texts: tuple[bytes, ...] = ()
    text_hashes: frozenset[str] = frozenset()
    own_names: frozenset[str] = frozenset()

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
            self.own_names | other.own_names,
        )

    def may_be_in(self, data: bytes) -> bool:
        """Whether a text holds anything that a trace is made of."""
        low = data.lower()
        return any(seed in low for seed in self._seeds)

    def count(self, data: bytes) -> int:
        """Mentions in a text, encoded in anything that contains ASCII."""
        if not self.may_be_in(data):
            return 0
        words = plain_words(data)
        mentions = sum(words.count(each) for each in self._ids)
        if self.numbers:
            mentions += len(self._named_number_bytes.findall(data))
        return mentions + any(fragment in words for fragment in self.fragments)

    def count_long(self, data: bytes | mmap.mmap) -> int:
        """The same for data of any size, such as a mapped file, block by block."""
        return sum(self.count(block) for block in _blocks(data))

    def is_in(self, value: str) -> bool:
        """Whether a value mentions the person."""
        return bool(self.count(value.encode(errors="surrogateescape")))

    def is_in_field(self, column: str, value: str) -> bool:
        """Whether a value of a column, whose name is in lower case, is or mentions the person."""
        return self._is_number_of(column, value) or self.is_in(value)

    def is_record(self, column: str, value: str) -> bool:
        """Whether a record is the person's because of this value, not only mentions the person.

        Args:
            column: name in lower case; "" where values have none.
            value: of the record.
        """
        if value in self.text_hashes or self._is_number_of(column, value):
            return True
        if value.strip().upper() in self._upper_names:
            return True
        if column == SOURCE_LINE:
            return self.is_in(value)
        return column in text_columns() and self._quotes(value)

    def redact(self, value: str) -> str:
        """A text with every mention replaced."""
        if not self.is_in(value):
            return value
        if self.numbers:
            value = self._named_number.sub(lambda match: match[1] + REMOVED, value)
        return self._mention.sub(REMOVED, value) if self._mention.pattern else value

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Ids of digits alone."""
        return frozenset(each for each in self.customer_ids if each.isdecimal())

    @cached_property
    def names(self) -> frozenset[str]:
        """The other ids, which nothing but the person is called."""
        return self.customer_ids - self.numbers

    @cached_property
    def id_columns(self) -> frozenset[str]:
        """Columns that hold customer ids, by their names in lower case."""
        return customer_columns() | self.own_names | {*_ID_WORDS}

    def _is_number_of(self, column: str, value: str) -> bool:
        return value.strip() in self.numbers and column in self.id_columns

    @cached_property
    def _seeds(self) -> tuple[bytes, ...]:
        return tuple(seed.encode() for seed in self.seeds)

    @cached_property
    def _ids(self) -> tuple[bytes, ...]:
        return tuple(plain_words(each.encode()) for each in self.names | self.text_hashes)

    @cached_property
    def _upper_names(self) -> frozenset[str]:
        return frozenset(each.upper() for each in self.names)

    @cached_property
    def own_columns(self) -> frozenset[str]:
        """Columns that say whose a record is."""
        return self.id_columns | text_columns()

    def _quotes(self, value: str) -> bool:
        words = plain_words(value.encode(errors="surrogateescape"))
        return any(fragment in words for fragment in self.fragments)

    @cached_property
    def _mention(self) -> re.Pattern[str]:
        wanted = [re.escape(each) for each in sorted(self.names | self.text_hashes)]
        # A whole text goes whole, also what others have said like it; then what is left of one.
        whole = [text.decode().split() for text in self.texts]
        wanted += [_BETWEEN.join(words) for words in whole if len(words) >= _SHORTEST]
        wanted += [_BETWEEN.join(words) for words in _merged(self.fragments)]
        pattern = rf"{_BEFORE}(?:{'|'.join(wanted)})(?![A-Za-z0-9])" if wanted else ""
        return re.compile(pattern, re.IGNORECASE)

    @cached_property
    def _named_number(self) -> re.Pattern[str]:
        """A number that is an id, right after what it is called, which is the first group."""
        names = "|".join(map(re.escape, sorted({*self.id_columns, _EXPLAINED})))
        numbers = "|".join(sorted(self.numbers))
        lead = rf"((?<![A-Za-z0-9])(?:{names}){_AFTER_NAME})"
        return re.compile(rf"{lead}(?:{numbers})(?![A-Za-z0-9]|[.,][0-9])", re.IGNORECASE)

    @cached_property
    def _named_number_bytes(self) -> re.Pattern[bytes]:
        return re.compile(self._named_number.pattern.encode(), re.IGNORECASE)


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
