"""Alerts: what each sink is handed, and that none of them breaks anything."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from python_ml.alerts import (
    CRITICAL,
    INFO,
    Alert,
    open_sink,
    quality_alert,
    run_alert,
    send_alert,
)
from python_ml.errors import QualityGateError, UsageError
from python_ml.settings import Settings, load_settings

ALERT = Alert("drift", CRITICAL, "Drift: año\nnuevo", "why", "run-1", {"drift_alarms": 3.0})
FIGURES = Alert("drift", INFO, "no drift", "", "run-1", {"drift_alarms": 0.0})


def settings_with(home: Path, **values: Any) -> Settings:
    named = {f"alerts.{name}": value for name, value in values.items()}
    return load_settings({"home": str(home), **named}, environ={})


class _Receiver(HTTPServer):
    """Keeps what is posted; answers 500 to /broken."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: _Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(json.loads(body))
        self.send_response(500 if "broken" in self.path else 204)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[_Receiver]:
    server = _Receiver()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_log_and_file_are_the_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert send_alert(settings_with(tmp_path), ALERT) == ["log", "file"]
    assert "critical Drift: año" in capsys.readouterr().err
    (file,) = (tmp_path / "reports" / "alerts").iterdir()
    assert file.name == "run-1-drift.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    assert document["figures"] == {"drift_alarms": 3.0}
    assert document["severity"] == "critical"


def test_figures_alone_go_only_where_figures_are_kept(tmp_path: Path) -> None:
    assert send_alert(settings_with(tmp_path), FIGURES) == []
    assert not (tmp_path / "reports").exists()


def test_a_webhook_is_posted_the_document(tmp_path: Path, receiver: _Receiver) -> None:
    settings = settings_with(tmp_path, sinks=["webhook"], webhook_url=receiver.url)
    assert send_alert(settings, ALERT) == ["webhook"]
    assert receiver.received[0]["title"] == ALERT.title


def test_a_sink_that_fails_hurts_neither_the_run_nor_the_others(
    tmp_path: Path, receiver: _Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_with(
        tmp_path,
        sinks=["webhook", "sns", "nobody", "file"],
        webhook_url=receiver.url.replace("hook", "broken"),
    )
    assert send_alert(settings, ALERT) == ["file"]
    told = capsys.readouterr().err
    assert "alert not sent to webhook: 127.0.0.1" in told
    assert "HTTP Error 500: Internal Server Error. It may pass: try again." in told
    assert "/broken" not in told, "an address is often a secret"
    assert "alert not sent to sns: alerts.sns_topic_arn" in told
    assert "'nobody' is none of log, file" in told


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "ftp://host/x"])
def test_a_webhook_speaks_http_only(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="http or https"):
        open_sink("webhook", settings_with(tmp_path, webhook_url=url))


@mock_aws
def test_a_topic_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    region = settings_with(tmp_path).athena.region
    sns, sqs = boto3.client("sns", region), boto3.client("sqs", region)
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    queue = sqs.create_queue(QueueName="mail")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
    settings = settings_with(tmp_path, sinks=["sns"], sns_topic_arn=topic)
    assert send_alert(settings, ALERT) == ["sns"]
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    envelope = json.loads(message["Body"])
    assert envelope["Subject"] == "Drift: a?o nuevo"
    assert json.loads(envelope["Message"])["text"] == "why"


@mock_aws
def test_figures_become_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    settings = settings_with(tmp_path, sinks=["cloudwatch"])
    odd = Alert("drift", INFO, "", "", "run-1", {"drift_alarms": 2.0, "odd": float("inf")})
    assert send_alert(settings, odd) == ["cloudwatch"]
    client = boto3.client("cloudwatch", settings.athena.region)
    metrics = client.list_metrics(Namespace="SpanishGas")["Metrics"]
    assert [metric["MetricName"] for metric in metrics] == ["drift_alarms"]
    assert metrics[0]["Dimensions"] == [{"Name": "source", "Value": "drift"}]


def test_a_failed_run_says_where_and_why() -> None:
    failed = run_alert("r", "score", 12.0, QualityGateError("gold is empty\nmore"), "quality")
    assert failed.severity == CRITICAL
    assert failed.title == "Run r (score) failed at quality: gold is empty"
    assert failed.figures == {"run_failed": 1.0, "run_seconds": 12.0}
    assert run_alert("r", "score", 12.0, None, None).severity == INFO


def test_quality_warnings_are_told() -> None:
    assert quality_alert("r", 400, []).severity == INFO
    told = quality_alert("r", 400, ["gold.x: 3"])
    assert (told.severity, told.text) == ("warning", "gold.x: 3")
