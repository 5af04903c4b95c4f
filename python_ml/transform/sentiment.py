"""The step between bronze and silver: each new interaction text is labelled once.

Labels are content-addressed. A text is known by the md5 of its trimmed, lower-case form, which SQL
computes, and is labelled on that form, so equal hashes always carry equal labels.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, ClassVar, Protocol

import pandas as pd
import yaml

from python_ml.engines import Warehouse
from python_ml.errors import UsageError
from python_ml.settings import PACKAGE_DIR, Settings

LABELS = ("negative", "neutral", "positive")
LEXICON_FILE = PACKAGE_DIR / "lexicon.yml"
# Limits of the compound score that VADER's authors recommend (Hutto & Gilbert 2014, README).
NEUTRAL_BAND = 0.05
TRANSFORMER_MODEL = "cardiffnlp/twitter-roberta-base-sentiment-latest"
TRANSFORMER_BATCH = 64


@dataclass(frozen=True)
class SentimentResult:
    """What the step did; `message` is a sentence for the summary."""

    document_name: ClassVar[str] = "sentiment"

    backend: str
    text_count: int
    new_count: int
    label_counts: dict[str, int]
    seconds: float
    message: str

    @property
    def row_count(self) -> int | None:
        """Texts that have a label now."""
        return self.text_count

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Backend(Protocol):
    """Reads sentiment. `identity` names backend and version; labels are stored under it."""

    identity: str

    def read(self, texts: Sequence[str]) -> tuple[list[str], list[float]]:
        """Labels and scores from -1 (negative) to 1 (positive), in the order of the texts."""
        ...


@cache
def _lexicon() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(LEXICON_FILE.read_text(encoding="utf-8"))
    return document


def _domain_valences() -> dict[str, float]:
    lexicon = _lexicon()
    return {**dict.fromkeys(lexicon["neutral"], 0.0), **lexicon["negative"], **lexicon["positive"]}


class VaderBackend:
    """VADER (Hutto & Gilbert 2014) with the domain lexicon laid over its own."""

    def __init__(self) -> None:
        # With requests, which a run without new texts need not wait for.
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        self.identity = vader_identity()
        self._analyzer = SentimentIntensityAnalyzer()
        valences = _domain_valences()
        phrases = sorted((entry for entry in valences if " " in entry), key=len, reverse=True)
        self._analyzer.lexicon.update(
            {entry.replace(" ", "_"): valence for entry, valence in valences.items()}
        )
        self._phrase = re.compile(
            r"\b(?:" + "|".join(r"\s+".join(map(re.escape, p.split())) for p in phrases) + r")\b"
        )

    def _score(self, text: str) -> float:
        joined = self._phrase.sub(lambda match: "_".join(match[0].split()), text)
        return float(self._analyzer.polarity_scores(joined)["compound"])

    def read(self, texts: Sequence[str]) -> tuple[list[str], list[float]]:
        scores = [self._score(text) for text in texts]
        return [_label(score) for score in scores], scores


class TransformerBackend:
    """A RoBERTa classifier with three classes; score = P(positive) − P(negative)."""

    def __init__(self, model: str = TRANSFORMER_MODEL) -> None:
        try:
            from transformers import pipeline
        except ImportError as error:
            raise UsageError(
                "sentiment.backend is transformer, but the extra is not installed; "
                "run `pip install 'spanishgas[transformer]'` or set sentiment.backend to vader"
            ) from error
        self.identity = transformer_identity(model)
        try:
            self._classify = pipeline("text-classification", model=model, top_k=None)
        except (OSError, ValueError) as error:
            raise UsageError(f"cannot load the sentiment model {model}: {error}") from error

    def read(self, texts: Sequence[str]) -> tuple[list[str], list[float]]:
        labels, scores = [], []
        answers = self._classify(list(texts), batch_size=TRANSFORMER_BATCH, truncation=True)
        for answer in answers:
            share = {str(part["label"]).lower(): float(part["score"]) for part in answer}
            labels.append(max(LABELS, key=lambda label: share.get(label, 0.0)))
            scores.append(share.get("positive", 0.0) - share.get("negative", 0.0))
        return labels, scores


def vader_identity() -> str:
    return f"vader-{_lexicon()['version']}"


def transformer_identity(model: str = TRANSFORMER_MODEL) -> str:
    return f"transformer-{model.rsplit('/', 1)[-1]}"


def sentiment_backend(settings: Settings) -> str:
    """Identity under which labels are stored: the dbt variable `sentiment_backend`."""
    match settings.sentiment.backend:
        case "none":
            return "none"
        case "vader":
            return vader_identity()
        case "transformer":
            return transformer_identity()


@cache
def _backend(name: str) -> Backend:
    return TransformerBackend() if name == "transformer" else VaderBackend()


def _label(score: float) -> str:
    if score >= NEUTRAL_BAND:
        return "positive"
    return "negative" if score <= -NEUTRAL_BAND else "neutral"


def label_texts(texts: Sequence[str], backend: str = "vader") -> tuple[list[str], list[float]]:
    """Sentiment of each text.

    Args:
        texts: any order, repeats allowed; read trimmed and in lower case.
        backend: vader or transformer.

    Returns:
        Labels (negative, neutral, positive) and scores from -1 to 1, one each a text.
    """
    normal = [text.strip().lower() for text in texts]
    distinct = list(dict.fromkeys(normal))
    labels, scores = _backend(backend).read(distinct)
    known = dict(zip(distinct, zip(labels, scores, strict=True), strict=True))
    return [known[text][0] for text in normal], [known[text][1] for text in normal]


def label_sentiment(warehouse: Warehouse, settings: Settings, run_id: str) -> SentimentResult:
    """Label the texts of bronze_interaction that this backend has not labelled yet.

    Writes `interaction_sentiment` under the run's own prefix, and nothing when no text is new.

    Raises:
        UsageError: the backend is unknown, or its extra is not installed.
    """
    start = time.perf_counter()
    identity = sentiment_backend(settings)
    if identity == "none":
        message = f"no sentiment: the model falls back to {settings.model.fallback_experiment}"
        return SentimentResult(identity, 0, 0, {}, 0.0, message)
    texts = warehouse.query(
        "select text_hash, min(interaction_summary) as interaction_summary"
        " from bronze_interaction where text_hash is not null group by text_hash"
    ).sort_values("text_hash", ignore_index=True)
    new = texts[~texts["text_hash"].isin(_labelled(warehouse, identity))]
    labels, scores = label_texts(new["interaction_summary"].tolist(), settings.sentiment.backend)
    if len(new):
        frame = pd.DataFrame(
            {
                "text_hash": new["text_hash"].to_numpy(),
                "backend": identity,
                "sentiment_label": labels,
                "sentiment_score": scores,
            }
        )
        warehouse.write_external("interaction_sentiment", frame, run_id)
    counts = Counter(labels)
    seconds = time.perf_counter() - start
    message = f"{len(new):,} of {len(texts):,} texts are new and were read by {identity}"
    return SentimentResult(
        identity, len(texts), len(new), {k: counts[k] for k in LABELS}, seconds, message
    )


def _labelled(warehouse: Warehouse, identity: str) -> set[str]:
    known = warehouse.read_external("interaction_sentiment")
    return set(known.loc[known["backend"] == identity, "text_hash"])
