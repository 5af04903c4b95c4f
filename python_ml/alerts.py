"""Tell somebody: one alert, as many sinks as the settings name, and no sink that breaks a run.

log         a line on stderr; a run that failed says so itself, as its command ends
file        a JSON file each, in reports/alerts/
webhook     the same JSON by POST to `alerts.webhook_url`
sns         subject and text to the topic `alerts.sns_topic_arn`
cloudwatch  the alert's figures as metrics in `alerts.cloudwatch_namespace`
"""

from __future__ import annotations

import json
import math
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from python_ml.console import line
from python_ml.documents import json_text, write_json
from python_ml.errors import TerminalError, TransientError, UsageError, foreseen
from python_ml.progress import console
from python_ml.settings import Settings

INFO, WARNING, CRITICAL = "info", "warning", "critical"
_COLOURS = {INFO: "dim", WARNING: "yellow", CRITICAL: "red"}
_SUBJECT_LENGTH = 100  # the most that SNS takes


@dataclass(frozen=True)
class Alert:
    """What happened. `source` is drift, outcomes, quality or run; `figures` become metrics."""

    source: str
    severity: str
    title: str
    text: str
    run_id: str
    figures: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "severity": self.severity,
            "title": self.title,
            "text": self.text,
            "run_id": self.run_id,
            "figures": dict(self.figures),
            "sent_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }


class Sink(ABC):
    """Where alerts go. Those of severity info, mere figures, go to sinks that keep figures."""

    keeps_figures = False

    @abstractmethod
    def send(self, alert: Alert) -> None:
        """Deliver one alert; may raise anything, which `send_alert` tells and survives."""


class LogSink(Sink):
    """A line on stderr."""

    def send(self, alert: Alert) -> None:
        console.print(line((alert.severity, _COLOURS[alert.severity]), f" {alert.title}"))


class FileSink(Sink):
    """One file an alert, named so that a run that is resumed writes over its own."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.layout.reports / "alerts"

    def send(self, alert: Alert) -> None:
        write_json(self._folder / f"{alert.run_id}-{alert.source}.json", alert.as_dict())


class WebhookSink(Sink):
    """POST of the JSON document; any answer but 2xx is a failure."""

    def __init__(self, settings: Settings) -> None:
        self._url = str(settings.alerts.webhook_url or "")
        if urlsplit(self._url).scheme not in ("http", "https"):
            raise UsageError("alerts.webhook_url: an http or https address is needed")
        self._timeout = settings.alerts.timeout_seconds

    def send(self, alert: Alert) -> None:
        request = urllib.request.Request(
            self._url,
            data=json.dumps(alert.as_dict()).encode(),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        place = urlsplit(self._url).netloc  # the rest of the address is often a secret
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:
                answer.read()
        except HTTPError as error:
            passes = error.code == HTTPStatus.TOO_MANY_REQUESTS or error.code >= 500
            kind = TransientError if passes else TerminalError
            raise kind(f"{place}: {error}") from error
        except (OSError, HTTPException) as error:
            raise TransientError(f"{place}: {error}") from error


class SnsSink(Sink):
    """A message to a topic, whose subscribers are mail boxes, chats or pagers."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.alerts.sns_topic_arn
        if not self._topic:
            raise UsageError("alerts.sns_topic_arn: the topic is needed")
        self._client = _aws("sns", settings)

    def send(self, alert: Alert) -> None:
        self._client.publish(
            TopicArn=self._topic,
            # SNS takes ASCII only, one line, no control characters.
            Subject=" ".join(alert.title.split())
            .encode("ascii", "replace")
            .decode()[:_SUBJECT_LENGTH],
            Message=json_text(alert.as_dict(), indent=2),
        )


class CloudWatchSink(Sink):
    """The figures as metrics, one a name, told apart by source; alarms are set on them there."""

    keeps_figures = True

    def __init__(self, settings: Settings) -> None:
        self._namespace = settings.alerts.cloudwatch_namespace
        self._client = _aws("cloudwatch", settings)

    def send(self, alert: Alert) -> None:
        data = [
            {
                "MetricName": name,
                "Dimensions": [{"Name": "source", "Value": alert.source}],
                "Value": float(value),
            }
            for name, value in alert.figures.items()
            if math.isfinite(value)
        ]
        if data:
            self._client.put_metric_data(Namespace=self._namespace, MetricData=data)


_AWS_SINKS: dict[str, type[SnsSink] | type[CloudWatchSink]] = {
    "sns": SnsSink,
    "cloudwatch": CloudWatchSink,
}
_SINKS = ("log", "file", "webhook", *_AWS_SINKS)


def open_sink(name: str, settings: Settings) -> Sink:
    """The sink of that name.

    Raises:
        UsageError: there is none, or a setting that it needs is missing.
    """
    if name == "log":
        return LogSink()
    if name == "file":
        return FileSink(settings)
    if name == "webhook":
        return WebhookSink(settings)
    if name in _AWS_SINKS:
        return _AWS_SINKS[name](settings)
    raise UsageError(f"alerts.sinks: {name!r} is none of {', '.join(_SINKS)}")


def send_alert(
    settings: Settings,
    alert: Alert,
    without: Collection[str] = (),
    complain: Callable[[str], None] = lambda told: console.print(
        told, style="yellow", soft_wrap=True
    ),
) -> list[str]:
    """Deliver to every sink of the settings but some; returns the names of those that took it.

    A sink that fails is told on stderr, and neither the run nor the other sinks notice.
    """
    delivered = []
    for name in (name for name in settings.alerts.sinks if name not in without):
        try:
            sink = open_sink(name, settings)
            if alert.severity == INFO and not sink.keeps_figures:
                continue
            sink.send(alert)
        except Exception as error:  # whatever it is, the run is worth more than its alert
            complain(f"alert not sent to {name}: {foreseen(error) or error}")
        else:
            delivered.append(name)
    return delivered


def run_alert(
    run_id: str, mode: str, seconds: float, error: BaseException | None, step: str | None
) -> Alert:
    """How a run ended; the alert of one that failed says at which step and why."""
    figures = {"run_failed": 0.0 if error is None else 1.0, "run_seconds": seconds}
    if error is None:
        return Alert("run", INFO, f"Run {run_id} succeeded", "", run_id, figures)
    first = next(iter(str(error).splitlines()), "") or type(error).__name__
    title = f"Run {run_id} ({mode}) failed at {step or 'its start'}: {first}"
    return Alert("run", CRITICAL, title, str(error), run_id, figures)


def quality_alert(run_id: str, check_count: int, warnings: Sequence[str]) -> Alert:
    """What the quality gates let through with a warning."""
    figures = {"quality_checks": float(check_count), "quality_warnings": float(len(warnings))}
    severity = WARNING if warnings else INFO
    title = f"Data quality: {len(warnings)} of {check_count} checks failed"
    return Alert("quality", severity, title, "\n".join(warnings), run_id, figures)


def _aws(service: str, settings: Settings) -> Any:
    from botocore.config import Config  # slow to import

    from python_ml.engines import cloud

    timeout = settings.alerts.timeout_seconds
    config = Config(connect_timeout=timeout, read_timeout=timeout, retries={"max_attempts": 1})
    return cloud.client(service, settings.athena.region, config)
