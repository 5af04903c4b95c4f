"""What the sentiment step reads, and that it reads each text once."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pytest

from python_ml.engines.base import Warehouse
from python_ml.errors import UsageError
from python_ml.settings import Settings, load_settings
from python_ml.transform import sentiment
from python_ml.transform.sentiment import label_sentiment, label_texts

NOTES = {
    "no price increase": "neutral",
    "Asked about renewal. No issues.": "neutral",
    "info provided": "neutral",
    "energy offer: asked for lower rates, wants to save": "neutral",
    "smart meter query resolved, no further questions": "neutral",
    "Customer not satisfied with the bill": "negative",
    "cust dissatisfied": "negative",
    "unhappy w/ renewal terms": "negative",
    "The customer was not happy about the increase": "negative",
    "complained about charges, frustrated": "negative",
    "happy w/ renewal": "positive",
    "The customer was satisfied with the explanation": "positive",
    "pleased, no complaints": "positive",
}


@pytest.mark.parametrize(("text", "label"), NOTES.items())
def test_domain_notes_are_read_as_the_trade_means_them(text: str, label: str) -> None:
    assert label_texts([text])[0] == [label]


def test_vader_alone_misreads_what_the_domain_lexicon_corrects() -> None:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    plain = SentimentIntensityAnalyzer()
    assert abs(plain.polarity_scores("energy increase, no issues")["compound"]) > 0.05
    assert label_texts(["energy increase, no issues"]) == (["neutral"], [0.0])


def test_equal_hashes_carry_equal_labels() -> None:
    texts = ["  Customer UNHAPPY!  ", "customer unhappy!"]
    labels, scores = label_texts(texts)
    assert labels[0] == labels[1] == "negative"
    assert scores[0] == scores[1]


def test_order_and_repeats_are_kept() -> None:
    labels, scores = label_texts(["happy", "unhappy", "called", "happy"])
    assert labels == ["positive", "negative", "neutral", "positive"]
    assert scores[0] == scores[3] > 0 > scores[1]


def test_a_changed_lexicon_needs_a_new_version() -> None:
    """Stored labels go by the version: a silent change would mix two readings."""
    entries = repr(sorted(sentiment._domain_valences().items()))
    digest = hashlib.sha256(entries.encode()).hexdigest()[:12]
    assert (sentiment.vader_identity(), digest) == ("vader-1", "e13d4f24ca16")


def test_transformer_without_the_extra_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UsageError, match=r"spanishgas\[transformer\]"):
        sentiment.TransformerBackend()


class FakeTransformers:
    """Stands in for the library: the pipeline's call and answer shape, as documented."""

    @staticmethod
    def pipeline(
        task: str, model: str, top_k: None
    ) -> Callable[..., list[list[dict[str, str | float]]]]:
        assert (task, top_k) == ("text-classification", None)

        def classify(
            texts: Sequence[str], batch_size: int, truncation: bool
        ) -> list[list[dict[str, str | float]]]:
            bad = {True: (0.7, 0.2, 0.1), False: (0.1, 0.2, 0.7)}
            return [
                [
                    {"label": label, "score": score}
                    for label, score in zip(
                        ("negative", "neutral", "positive"), bad["bad" in text], strict=True
                    )
                ]
                for text in texts
            ]

        return classify


def test_transformer_answers_become_labels_and_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", FakeTransformers)
    labels, scores = sentiment.TransformerBackend().read(["bad", "well"])
    assert labels == ["negative", "positive"]
    assert scores == pytest.approx([-0.6, 0.6])


def test_unknown_backend_is_named() -> None:
    with pytest.raises(UsageError, match="one of vader, transformer, none, got 'oracle'"):
        load_settings({"sentiment.backend": "oracle"}, environ={})


Bronze = tuple[Settings, Callable[[Sequence[str]], Warehouse]]


@pytest.fixture
def bronze(tmp_path: Path) -> Bronze:
    """A warehouse with the two columns of bronze_interaction that the step reads."""
    from python_ml.engines import open_warehouse

    settings = load_settings({"home": str(tmp_path)}, environ={})

    def write(texts: Sequence[str]) -> Warehouse:
        values = ", ".join(f"('{text}')" for text in texts)
        with duckdb.connect(str(settings.layout.warehouse)) as connection:
            connection.execute(
                "create or replace table bronze_interaction as select interaction_summary,"
                " md5(lower(trim(interaction_summary))) as text_hash"
                f" from (values {values}) as t(interaction_summary)"
            )
        return open_warehouse(settings)

    return settings, write


def test_each_text_is_labelled_once(bronze: Bronze) -> None:
    settings, write = bronze
    first = label_sentiment(write(["happy", "Happy ", "unhappy"]), settings, "run-1")
    assert (first.text_count, first.new_count) == (2, 2)
    warehouse = write(["happy", "unhappy", "called"])
    second = label_sentiment(warehouse, settings, "run-2")
    assert (second.text_count, second.new_count) == (3, 1)
    assert second.label_counts == {"negative": 0, "neutral": 1, "positive": 0}
    stored = warehouse.read_external("interaction_sentiment")
    assert stored.groupby("run_id").size().to_dict() == {"run-1": 2, "run-2": 1}
    assert stored["text_hash"].is_unique
    happy = hashlib.md5(b"happy").hexdigest()
    assert stored.set_index("text_hash").loc[happy, "sentiment_label"] == "positive"


def test_another_backend_labels_anew(bronze: Bronze, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, write = bronze
    warehouse = write(["happy", "unhappy"])
    label_sentiment(warehouse, settings, "run-1")
    monkeypatch.setattr(sentiment, "vader_identity", lambda: "vader-2")
    assert label_sentiment(warehouse, settings, "run-2").new_count == 2


def test_without_backend_nothing_is_written_and_the_fallback_is_named(bronze: Bronze) -> None:
    settings, write = bronze
    warehouse = write(["happy"])
    result = label_sentiment(
        warehouse, settings.with_overrides({"sentiment.backend": "none"}), "run-1"
    )
    assert "E8_no_sentiment" in result.message
    assert warehouse.read_external("interaction_sentiment").empty
