"""The core modules, and the tests that have to notice a fault in each, the quickest first."""

from __future__ import annotations

_FORGET = ("tests/unit/test_forget_records.py", "tests/unit/test_forget_search.py")

SUITES: dict[str, tuple[str, ...]] = {
    "python_ml/aws/trigger.py": ("tests/unit/test_trigger.py",),
    "python_ml/drift/statistics.py": ("tests/unit/test_drift_statistics.py",),
    "python_ml/forget/command.py": ("tests/integration/test_forget.py",),
    "python_ml/forget/containers.py": (*_FORGET, "tests/integration/test_forget.py"),
    "python_ml/forget/person.py": (*_FORGET, "tests/integration/test_forget.py"),
    "python_ml/forget/records.py": (*_FORGET, "tests/integration/test_forget.py"),
    "python_ml/forget/remove.py": (*_FORGET, "tests/integration/test_forget.py"),
    "python_ml/forget/search.py": (*_FORGET, "tests/integration/test_forget.py"),
    "python_ml/land/check.py": (
        "tests/unit/test_land_check.py",
        "tests/integration/test_land_dirt.py",
        "tests/integration/test_land_refused.py",
        "tests/integration/test_land.py",
    ),
    "python_ml/land/scrub.py": (*_FORGET, "tests/integration/test_forget.py"),
    "python_ml/land/traces.py": (*_FORGET, "tests/integration/test_forget.py"),
    "python_ml/model/calibrate.py": (
        "tests/unit/test_calibrate.py",
        "tests/unit/test_train.py",
    ),
    "python_ml/model/interval.py": ("tests/unit/test_interval.py",),
    "python_ml/model/preprocess.py": ("tests/unit/test_train_preprocess.py",),
    "python_ml/modelling/alarms.py": ("tests/unit/test_audit_findings.py",),
    "python_ml/modelling/audit.py": ("tests/unit/test_audit_findings.py",),
    "python_ml/modelling/audit_groups.py": ("tests/unit/test_audit_groups.py",),
    "python_ml/modelling/challenger.py": ("tests/unit/test_challenger.py",),
    "python_ml/modelling/gate.py": ("tests/unit/test_gate.py",),
    "python_ml/modelling/labels.py": ("tests/unit/test_labels.py",),
    "python_ml/modelling/metrics.py": (
        "tests/unit/test_evaluate_metrics.py",
        "tests/unit/test_gate.py",
        "tests/unit/test_policies.py",
    ),
    "python_ml/modelling/profit.py": ("tests/unit/test_policies.py",),
    "python_ml/modelling/split.py": ("tests/unit/test_train_split.py",),
    "python_ml/quality/rules.py": (
        "tests/unit/test_quality_rules.py",
        "tests/integration/test_quality.py",
    ),
    "python_ml/registry/promotion.py": ("tests/unit/test_challenger.py",),
    "python_ml/runs/manifest.py": ("tests/unit/test_run_manifest.py",),
    "python_ml/runs/record.py": ("tests/unit/test_run_record.py",),
    "python_ml/runs/retention.py": ("tests/unit/test_retention.py",),
    "python_ml/tombstones.py": ("tests/integration/test_forget.py",),
}
