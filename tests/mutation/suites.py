"""The core modules, and the tests that have to notice a fault in each, the quickest first."""

from __future__ import annotations

# Of forgetting on a whole home, the tests that start no process.
_FORGET = (
    "tests/unit/privacy/test_forget_records.py",
    "tests/unit/privacy/test_forget_search.py",
    "tests/unit/privacy/test_forget_person.py",
    *(
        f"tests/integration/test_forget.py::{name}"
        for name in (
            "test_nothing_is_left_and_nobody_else_is_touched",
            "test_snapshots_that_models_name_by_their_hash_are_known_again",
            "test_the_next_batch_keeps_the_person_out",
            "test_rejected_rows_and_other_files_without_a_customer_id_name_people_too",
            "test_hashes_of_changed_content_lead_to_what_it_is_now",
            "test_what_cannot_be_opened_is_no_proof",
            "test_what_was_deleted_from_a_database_is_found_in_its_free_pages",
            "test_a_month_can_be_added_to_what_forgetting_has_left",
        )
    ),
)

SUITES: dict[str, tuple[str, ...]] = {
    "python_ml/aws/trigger.py": ("tests/unit/aws/test_trigger.py",),
    "python_ml/judge/drift/statistics.py": ("tests/unit/judge/test_drift_statistics.py",),
    "python_ml/pipeline/forget.py": (
        "tests/unit/pipeline/test_forget_manifest.py",
        "tests/integration/test_forget.py",
    ),
    "python_ml/privacy/containers.py": _FORGET,
    "python_ml/privacy/person.py": _FORGET,
    "python_ml/privacy/records.py": _FORGET,
    "python_ml/privacy/remove.py": _FORGET,
    "python_ml/privacy/search.py": _FORGET,
    "python_ml/land/check.py": (
        "tests/unit/land/test_land_judge.py",
        "tests/unit/land/test_land_check.py",
        "tests/integration/test_land_dirt.py",
        "tests/integration/test_land_refused.py",
        "tests/integration/test_land.py",
    ),
    "python_ml/privacy/scrub.py": _FORGET,
    "python_ml/privacy/traces.py": ("tests/unit/privacy/test_traces.py", *_FORGET),
    "python_ml/model/calibrate.py": (
        "tests/unit/model/test_calibrate.py",
        "tests/unit/pipeline/test_train.py",
    ),
    "python_ml/model/preprocess.py": ("tests/unit/model/test_train_preprocess.py",),
    "python_ml/judge/alarms.py": ("tests/unit/judge/test_audit_findings.py",),
    "python_ml/judge/audit.py": (
        "tests/unit/judge/test_audit_findings.py",
        "tests/unit/judge/test_audit.py",
    ),
    "python_ml/judge/audit_groups.py": ("tests/unit/judge/test_audit_groups.py",),
    "python_ml/judge/challenger.py": ("tests/unit/judge/test_challenger_checks.py",),
    "python_ml/judge/gate.py": ("tests/unit/judge/test_gate.py",),
    "python_ml/judge/labels.py": ("tests/unit/judge/test_labels.py",),
    "python_ml/judge/metrics.py": (
        "tests/unit/judge/test_evaluate_metrics.py",
        "tests/unit/judge/test_gate.py",
        "tests/unit/judge/test_policies.py",
    ),
    "python_ml/judge/profit.py": (
        "tests/unit/judge/test_profit.py",
        "tests/unit/judge/test_policies.py",
    ),
    "python_ml/judge/split.py": ("tests/unit/judge/test_train_split.py",),
    "python_ml/quality/rules.py": (
        "tests/unit/quality/test_quality_rules.py",
        "tests/integration/test_quality.py",
    ),
    "python_ml/registry/promotion.py": ("tests/unit/registry/test_promotion.py",),
    "python_ml/engines/ledger.py": ("tests/unit/engines/test_run_manifest.py",),
    "python_ml/pipeline/record.py": ("tests/unit/pipeline/test_run_record.py",),
    "python_ml/pipeline/retention.py": ("tests/unit/pipeline/test_retention.py",),
    "python_ml/privacy/tombstones.py": ("tests/unit/privacy/test_tombstones.py", *_FORGET),
}
