"""Tokens of a SQL statement, enough to route it, to rewrite a CTAS and to read Hive DDL."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*(?:\n|$)|/\*.*?\*/)
  | (?P<string>'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")*")
  | (?P<ticked>`[^`]*`)
  | (?P<word>[A-Za-z_][A-Za-z_0-9]*)
  | (?P<number>[0-9][0-9A-Za-z_.]*)
  | (?P<symbol>.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Token:
    """One token; `kind` is string, quoted, ticked, word, number or symbol."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def lower(self) -> str:
        return self.text.lower() if self.kind == "word" else self.text

    @property
    def value(self) -> str:
        """The content without its quotes."""
        if self.kind == "string":
            return self.text[1:-1].replace("''", "'")
        if self.kind == "quoted":
            return self.text[1:-1].replace('""', '"')
        return self.text.strip("`")


def tokenize(sql: str) -> list[Token]:
    """All tokens but white space and comments."""
    return [
        Token(str(match.lastgroup), match.group(), match.start(), match.end())
        for match in _TOKEN.finditer(sql)
        if match.lastgroup != "space"
    ]


class Reader:
    """Walks over tokens; `ParseError` names what was expected and what was found."""

    def __init__(self, sql: str, tokens: list[Token] | None = None) -> None:
        self.sql = sql
        self.tokens = tokenize(sql) if tokens is None else tokens
        self.position = 0

    @property
    def at_end(self) -> bool:
        return self.position >= len(self.tokens)

    def peek(self, offset: int = 0) -> Token | None:
        index = self.position + offset
        return self.tokens[index] if index < len(self.tokens) else None

    def next(self) -> Token:
        token = self.peek()
        if token is None:
            raise ParseError("unexpected end of the statement")
        self.position += 1
        return token

    def accept(self, *words: str) -> bool:
        """Step over these words or symbols if they come next."""
        following = self.tokens[self.position : self.position + len(words)]
        if [token.lower for token in following] != list(words):
            return False
        self.position += len(words)
        return True

    def expect(self, *words: str) -> None:
        if not self.accept(*words):
            found = self.peek()
            raise ParseError(
                f"expected {' '.join(words)}, found {found.text if found else 'the end'}"
            )

    def name(self) -> tuple[str, ...]:
        """A dotted name, its parts without quotes and in lower case."""
        parts = [self.next().value.lower()]
        while self.accept("."):
            parts.append(self.next().value.lower())
        return tuple(parts)

    def until(self, *stops: str, is_query: bool = False) -> str:
        """The source up to a stop outside any brackets; the stop stays.

        Angle brackets are brackets of types in DDL, and comparisons in a query.
        """
        opening, closing = ("([", ")]") if is_query else ("(<[", ")>]")
        depth = 0
        first = self.peek()
        last = first
        while (token := self.peek()) is not None:
            if depth == 0 and token.lower in stops:
                break
            depth += (token.text in opening) - (token.text in closing)
            last = self.next()
        if first is None or last is None:
            return ""
        return self.sql[first.start : last.end].strip()


class ParseError(ValueError):
    """The statement is not one that Athena would read."""
