"""SageMaker's Model Registry behind the registry's interface.

Artifacts, decisions and the champion pointer lie in the lake as on a laptop; beside them each
version is a model package of the group `athena.model_package_group`, with its artifacts, metrics
and card. The package's approval status counts: who approves or rejects a version in SageMaker has
decided, and the decision is added to ours when it is next read.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from python_ml.engines import cloud
from python_ml.engines.store import Store
from python_ml.errors import SpanishGasError
from python_ml.registry.base import PENDING, StoredRegistry, lineage
from python_ml.settings import AthenaSettings

if TYPE_CHECKING:
    from python_ml.model.churn_model import ChurnModel

ARCHIVE = "model.tar.gz"
ARTIFACTS = ("booster.json", "model.json")
HEADLINE = ("pr_auc", "roc_auc", "recall", "precision", "ece")
CONSOLE = "SageMaker"
_VERSION = "model_version"


class SageMakerRegistry(StoredRegistry):
    """A stored registry whose versions are model packages too."""

    def __init__(self, store: Store, threads: int, athena: AthenaSettings) -> None:
        super().__init__(store, threads)
        self._group = athena.model_package_group
        self._sagemaker = cloud.client("sagemaker", athena.region)
        self._packages: dict[str, str] = {}  # version -> ARN

    def register(self, version: str, model: ChurnModel, origin: Mapping[str, Any]) -> str:
        digest = super().register(version, model, origin)
        self.attach_file(version, ARCHIVE, archive(self._store, version))
        if self._package(version) is None:
            place = self._store.place(f"models/{version}")
            parent = {"recalibrated_from": versions[-1]} if (versions := lineage(origin)) else {}
            evaluation = {"ContentType": "application/json", "S3Uri": f"{place}/evaluation.json"}
            self._sagemaker.create_model_package(
                ModelPackageGroupName=self._group,
                ModelPackageDescription=f"{version}, experiment {model.experiment}",
                ModelApprovalStatus=PENDING,
                SourceUri=f"{place}/{ARCHIVE}",
                # The document is written by evaluate, before anyone can approve.
                ModelMetrics={"ModelQuality": {"Statistics": evaluation}},
                CustomerMetadataProperties={_VERSION: version, "sha256": digest, **parent},
                ClientToken=version,
            )
        return digest

    def attach_evaluation(self, version: str, evaluation: Mapping[str, Any]) -> None:
        super().attach_evaluation(version, evaluation)
        metrics = evaluation.get("metrics", {})
        shown = {
            name: f"{metrics[name]['value']:.4f} ({metrics[name]['low']:.4f} to "
            f"{metrics[name]['high']:.4f})"
            for name in HEADLINE
            if metrics.get(name, {}).get("value") is not None
        }
        card = self._store.place(f"models/{version}/card.html")
        self._update(version, properties={**shown, "card": card})

    def decide(
        self,
        version: str,
        status: str,
        reason: str,
        decided_by: str,
        *,
        action: str = "gate",
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        super().decide(version, status, reason, decided_by, action=action, evidence=evidence)
        self._update(version, status=status, reason=f"{decided_by}: {reason}")

    def decisions(self, version: str) -> list[dict[str, Any]]:
        known = self._kept_decisions(version)
        if (package := self._describe(version)) is None:
            return known
        status = package["ModelApprovalStatus"]
        if status != known[-1]["status"]:
            reason = package.get("ApprovalDescription") or "decided in SageMaker, without words"
            super().decide(version, status, reason, CONSOLE, action="promote")
            known = self._kept_decisions(version)
        return known

    def _update(
        self,
        version: str,
        *,
        status: str | None = None,
        reason: str | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        package = self._describe(version)
        if package is None:
            raise SpanishGasError(f"{self._group} has no model package of {version}")
        kept = package.get("CustomerMetadataProperties", {})
        self._sagemaker.update_model_package(
            ModelPackageArn=package["ModelPackageArn"],
            ModelApprovalStatus=status or package["ModelApprovalStatus"],
            ApprovalDescription=(reason or package.get("ApprovalDescription") or "-")[:1024],
            CustomerMetadataProperties={**kept, **(properties or {})},
        )

    def _describe(self, version: str) -> dict[str, Any] | None:
        arn = self._package(version)
        return None if arn is None else self._sagemaker.describe_model_package(ModelPackageName=arn)

    def _package(self, version: str) -> str | None:
        """ARN of the package of a version; packages are numbered, so that it is looked for."""
        if version not in self._packages:
            pages = self._sagemaker.get_paginator("list_model_packages").paginate(
                ModelPackageGroupName=self._group
            )
            arns = [e["ModelPackageArn"] for p in pages for e in p["ModelPackageSummaryList"]]
            for arn in set(arns) - set(self._packages.values()):
                package = self._sagemaker.describe_model_package(ModelPackageName=arn)
                name = package.get("CustomerMetadataProperties", {}).get(_VERSION)
                if name:
                    self._packages[name] = arn
        return self._packages.get(version)


def archive(store: Store, version: str) -> bytes:
    """`model.tar.gz` of a version: our JSON documents, the same bytes for the same version."""
    content = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=content, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for name in ARTIFACTS:
            document = store.read(f"models/{version}/{name}")
            json.loads(document)  # data, never code
            entry = tarfile.TarInfo(name)
            entry.size = len(document)
            tar.addfile(entry, io.BytesIO(document))
    return content.getvalue()
