"""Texts: the keyword seed finds the intent, the lexicon the mood, and hardly two are alike."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

import numpy as np
import pytest

from python_ml.settings import PROJECT_DIR
from python_ml.simulate.noise import hashed
from python_ml.simulate.texts import compose, grammar, is_composed
from python_ml.transform.sentiment import label_texts

STYLES = ("terse", "summary")
COUNT = 250


def keywords() -> list[tuple[int, str, str]]:
    path = PROJECT_DIR / "seeds" / "intent_keywords.csv"
    with path.open(encoding="utf-8") as file:
        return [
            (
                int(row["intent_priority"]),
                row["customer_intent"],
                f" {row['keyword']}" + ("" if row["is_prefix"] == "true" else " "),
            )
            for row in csv.DictReader(file)
        ]


def intent_of(text: str, rules: list[tuple[int, str, str]]) -> str:
    words = f" {re.sub('[^a-z0-9]+', ' ', text.lower())} "
    return min((rule[:2] for rule in rules if rule[2] in words), default=(99, "none"))[1]


def texts(style: str, intent: str, mood: str, count: int = COUNT) -> Iterator[str]:
    for bits in hashed(1, f"{style}{intent}{mood}", np.arange(count)):
        yield compose(int(bits), style, intent, mood)


@pytest.mark.parametrize("intent", grammar()["intents"])
@pytest.mark.parametrize("mood", grammar()["sentiments"])
def test_intent_and_mood_can_be_read_back(intent: str, mood: str) -> None:
    rules = keywords()
    for style in STYLES:
        composed = list(texts(style, intent, mood))
        assert [t for t in composed if intent_of(t, rules) != intent] == []
        labels, _ = label_texts(composed)
        assert [t for t, found in zip(composed, labels, strict=True) if found != mood] == []


def test_hardly_two_texts_are_alike() -> None:
    composed = [
        text for style in STYLES for text in texts(style, "Contract Renewal", "neutral", 2000)
    ]
    assert len(set(composed)) > 0.95 * len(composed)
    # Nor do they differ by numbers and names only.
    names = re.compile("|".join(grammar()["surname"] + grammar()["month"]) + r"|\d+")
    assert len({names.sub("", text) for text in composed}) > 0.90 * len(composed)


def test_styles_differ_as_notes_and_prose_do() -> None:
    terse = list(texts("terse", "Billing / Payment", "positive"))
    prose = list(texts("summary", "Billing / Payment", "positive"))
    assert np.mean([len(t.split()) for t in terse]) < 12 < np.mean([len(t.split()) for t in prose])
    sentences = [
        len(re.findall(r"[.](?= [A-Z]|$)", re.sub(r"\b(Mr|Ms|Mrs)\.", "", t))) for t in prose
    ]
    assert {2, 3, 4} <= set(sentences) and max(sentences) <= 4


def test_no_slot_is_left_open() -> None:
    for intent in grammar()["intents"]:
        for style in STYLES:
            assert not any("{" in text for text in texts(style, intent, "neutral", 100))


def test_the_simulator_knows_its_own_texts_and_no_others() -> None:
    pairs = [(i, m) for i in grammar()["intents"] for m in grammar()["sentiments"]]
    for number, (intent, mood) in enumerate(pairs * 3):
        for style in grammar()["styles"]:
            assert is_composed(compose(number * 7919, style, intent, mood))
    for other in ("", "Customer called.", "Cust called re bill; paid.", "cust rang about x"):
        assert not is_composed(other)
