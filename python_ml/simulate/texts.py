"""Interaction summaries from a grammar: terse agent notes and short prose."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import yaml

from python_ml.simulate.reference import REFERENCE_DIR

_SLOT = re.compile(r"\{(\w+)\}")
# Multiplier and increment of Knuth's MMIX generator; one step for each choice in a text.
_MULTIPLIER, _INCREMENT, _MASK = 6364136223846793005, 1442695040888963407, (1 << 64) - 1


@cache
def grammar() -> dict[str, Any]:
    """Lists of alternatives; see reference/texts.yml."""
    document: dict[str, Any] = yaml.safe_load(
        (REFERENCE_DIR / "texts.yml").read_text(encoding="utf-8")
    )
    return document


def is_composed(text: str) -> bool:
    """Whether the grammar can have written a text, of any intent and sentiment."""
    styles = [template for style in grammar()["styles"].values() for template in style]
    return any(len(text) in _ends(text, template, {0}) for template in styles)


def _ends(text: str, template: str, starts: set[int]) -> set[int]:
    """Where in a text a template can end that begins at one of `starts`."""
    for number, part in enumerate(_parts(template)):
        if number % 2:
            starts = {end for other in _every()[part] for end in _ends(text, other, starts)}
        else:
            starts = {start + len(part) for start in starts if text.startswith(part, start)}
        if not starts:
            break
    return starts


@cache
def _parts(template: str) -> list[str]:
    """Words and names of slots by turns."""
    return _SLOT.split(template)


@cache
def _every() -> dict[str, list[str]]:
    """The alternatives of each slot, whatever the intent and the sentiment."""
    rules = grammar()
    own = [*rules["intents"].values(), *rules["sentiments"].values()]
    own += [entry["unless_negative"] for entry in own if "unless_negative" in entry]
    found: dict[str, list[str]] = {}
    for entry in [rules, *own]:
        for name, alternatives in entry.items():
            if isinstance(alternatives, list):
                found[name] = list(dict.fromkeys([*found.get(name, []), *alternatives]))
    return found


class _Dice:
    """Choices from one 64-bit seed."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def below(self, count: int) -> int:
        self._state = (self._state * _MULTIPLIER + _INCREMENT) & _MASK
        return ((self._state >> 33) * count) >> 31


def compose(bits: int, style: str, intent: str, sentiment: str) -> str:
    """One summary.

    Args:
        bits: 64 random bits, which decide every word.
        style: terse or summary.
        intent: a key of `intents` in the grammar.
        sentiment: negative, neutral or positive.
    """
    rules = grammar()
    dice = _Dice(bits)
    own = rules["intents"][intent]
    calm = {} if sentiment == "negative" else own.get("unless_negative", {})
    local = {**own, **calm, **rules["sentiments"][sentiment]}

    def expand(text: str) -> str:
        return _SLOT.sub(lambda slot: expand(pick(slot[1])), text)

    def pick(name: str) -> str:
        alternatives = _alternatives(name, local, rules)
        return alternatives[dice.below(len(alternatives))]

    styles = rules["styles"][style]
    return expand(styles[dice.below(len(styles))])


def _alternatives(name: str, local: Mapping[str, Any], rules: Mapping[str, Any]) -> list[str]:
    found = local.get(name, rules.get(name))
    if not isinstance(found, list):
        raise KeyError(f"texts.yml has no alternatives for {{{name}}}")
    return found
