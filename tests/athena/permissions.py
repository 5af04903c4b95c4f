"""What each role called in the rehearsed deployment, against what its rendered policy allows.

`recorded_calls.json` holds the calls of the last rehearsal (tests/athena/test_deployment.py writes
it, and fails if it is not what the rehearsal called). Names that differ between runs are replaced,
so that the calls can be decided again against any policies in a moment: that is how removing each
action from each policy is tried (tests/infra/test_permissions.py).
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from python_ml.settings import PROJECT_DIR
from tests.infra.policies import Need, Policies, Rendered, Services, survivors
from tests.unit.aws_fixture import ACCOUNT

REGION = "us-east-1"  # of the emulators
RECORD = Path(__file__).parent / "recorded_calls.json"
PAGE = PROJECT_DIR / "docs/permissions.md"
START, END = "<!-- generated -->", "<!-- end -->"
# Granted, and called by no rehearsal: why. The role `*` stands for each that has the action.
_RESULTS = (
    "[AWS names it](https://docs.aws.amazon.com/athena/latest/ug/s3-permissions.html) for the"
)
_CATALOG = (
    "[AWS names it](https://docs.aws.amazon.com/athena/latest/ug/"
    "fine-grained-access-to-glue-resources.html) for"
)
_UPLOADS = (
    "a large object is written in parts, and given up when a part fails; 500 customers have none"
)
_SYNC = (
    "Metabase's driver lists databases and tables when it syncs; the rehearsal sends queries only"
)
EXPLAINED: dict[tuple[str, str], str] = {
    ("*", "athena:StopQueryExecution"): "nothing was stopped in the rehearsal",
    ("*", "glue:GetDatabase"): f"{_CATALOG} every statement that names a database",
    ("*", "glue:BatchGetPartition"): f"{_CATALOG} statements on partitioned tables",
    ("*", "glue:GetPartition"): f"{_CATALOG} statements on partitioned tables",
    ("*", "glue:GetPartitions"): f"{_CATALOG} statements on partitioned tables",
    ("*", "s3:AbortMultipartUpload"): _UPLOADS,
    ("*", "s3:GetBucketLocation"): f"{_RESULTS} bucket of results",
    ("*", "s3:ListBucketMultipartUploads"): f"{_RESULTS} buckets that queries write to",
    ("control", "states:DescribeExecution"): "asked when another run holds the lease",
    ("dbt", "glue:DeleteTableVersion"): (
        "dbt's adapter deletes the oldest versions of a table that has been built many times"
    ),
    ("ml", "athena:GetWorkGroup"): (
        "dbt's adapter, which landing registers tables with, asks where tables lie by default"
    ),
    ("ml", "glue:UpdateTable"): (
        "a second batch moves the landed tables to its folder; one batch is rehearsed"
    ),
    ("metabase", "athena:GetTableMetadata"): _SYNC,
    ("metabase", "athena:ListDatabases"): _SYNC,
    ("metabase", "athena:ListTableMetadata"): _SYNC,
    ("metabase", "glue:GetDatabases"): _SYNC,
    ("metabase", "glue:GetTables"): _SYNC,
    ("metabase", "s3:GetObject"): "Metabase's driver reads long answers from the bucket of results",
    ("metabase", "s3:ListBucket"): f"{_RESULTS} bucket of results",
}

_RUN = re.compile(r"20\d{6}[tT]\d{6}[-_][0-9a-z]{5,6}|sg_dev_run_20\w+")
_PROBE = re.compile(r"_doctor_[0-9a-f]{8}")  # the database that `doctor` makes and drops
_KEY = re.compile(r":key/[^/]+$")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def general(need: Need) -> Need:
    """A call without the names that differ between runs, and that no policy of ours mentions."""
    resource = _RUN.sub(_run, _UUID.sub("ID", need.resource))
    resource = _KEY.sub(":key/KEY", _PROBE.sub("_doctor_ID", resource))
    if match := re.match(r"(arn:aws:s3:::[^/]+/)(.+)", resource):
        resource = match[1] + _key(match[2])
    elif match := re.match(r"(arn:aws:glue:[^/]+/[^/]+/)([^/]+)$", resource):
        resource = match[1] + _table(match[2])
    elif ":sagemaker:" in resource:
        resource = re.sub(r"/\d+$", "/1", resource)
    context = tuple((name, _RUN.sub(_run, value)) for name, value in need.context)
    context = tuple((n, _key(v) if n == "s3:prefix" else v) for n, v in context)
    return Need(need.role, need.action, resource, context)


def _run(match: re.Match[str]) -> str:
    return "sg_dev_run_RUN" if match[0].startswith("sg_dev_run_") else "RUN"


def _table(name: str) -> str:
    return "mart_TABLE" if name.startswith("mart_") else "TABLE"


def _key(key: str) -> str:
    """The parts of a key that policies may name: the folder, a database, a table."""
    parts = key.split("/")
    if parts[0] == "warehouse" and len(parts) > 2:
        return f"warehouse/sg_dev_run_RUN/{_table(parts[2])}/x"
    if parts[0] == "raw":
        return "raw/train/2024/_SUCCESS" if parts[-1] == "_SUCCESS" else "raw/train/2024/x"
    deep = 2 if parts[0] == "ml" else 1
    return "/".join([*parts[:deep], "x"]) if len(parts) > deep else key


def as_document(needs: Collection[Need]) -> list[list[Any]]:
    """Calls as JSON holds them: role, action, resource, context."""
    unique = {general(need) for need in needs}
    return [
        [need.role, need.action, need.resource, dict(need.context)]
        for need in sorted(unique, key=lambda n: (n.role, n.action, n.resource, n.context))
    ]


def as_text(needs: Collection[Need]) -> str:
    rows = ",\n".join(json.dumps(row) for row in as_document(needs))
    return f"[\n{rows}\n]\n"


def read_record() -> list[Need]:
    rows = json.loads(RECORD.read_text(encoding="utf-8"))
    return [
        Need(role, action, resource, tuple(sorted(context.items())))
        for role, action, resource, context in rows
    ]


def rendered_deployment(folder: Path) -> Rendered:
    """As the emulators' account and region have it."""
    return Rendered.apply(folder, ACCOUNT, REGION)


def all_calls(rendered: Rendered) -> list[Need]:
    """What was called in the rehearsal, and what AWS does of itself."""
    called = [
        replace(need, resource=rendered.key if ":key/" in need.resource else need.resource)
        for need in read_record()
    ]
    return [*called, *Services(rendered).everything()]


def actions_of(policy: Mapping[str, Any]) -> list[str]:
    return sorted({action for one in policy["Statement"] for action in one["Action"]})


def explained(role: str, sid: str, action: str) -> str | None:
    """Why a role has what it did not call."""
    keys = [(role, action), ("*", action)]
    return next((EXPLAINED[key] for key in keys if key in EXPLAINED), None)


def table(policies: Policies, needs: Collection[Need]) -> Iterator[str]:
    """The page's table: what each role called and on what, and why it may call more."""
    yield "| Role | Called in the rehearsal | On |"
    yield "| --- | --- | --- |"
    for role in sorted(policies):
        own = [need for need in needs if need.role == role]
        for service in sorted({need.action.partition(":")[0] for need in own}):
            calls = [need for need in own if need.action.startswith(f"{service}:")]
            names = sorted({need.action.partition(":")[2] for need in calls})
            places = sorted({_place(need) for need in calls})
            yield f"| `{role}` | {service}: {', '.join(names)} | {', '.join(places)} |"
    yield ""
    yield "| Role | Allowed and not called | Why |"
    yield "| --- | --- | --- |"
    for role, sid, action in survivors(policies, needs):
        yield f"| `{role}` | {action} ({sid}) | {explained(role, sid, action)} |"


def page(policies: Policies, needs: Collection[Need]) -> str:
    """The page with its table as it must be."""
    text = PAGE.read_text(encoding="utf-8")
    head, tail = text.partition(START)[0], text.partition(END)[2]
    lines = "\n".join(table(policies, needs))
    return f"{head}{START}\n\n{lines}\n\n{END}{tail}"


def _place(need: Need) -> str:
    """A resource in few words."""
    if need.resource == "*":
        return "everything"
    name = need.resource.split(":", 5)[5]
    name = re.sub("^key/.*", "key", name.replace(f"-{ACCOUNT}", ""))
    if need.action.startswith("s3:"):
        bucket, _, key = name.partition("/")
        top = key.split("/")[0]
        return f"`{bucket}/{top}/`" if "/" in key else f"`{bucket}{'/' if key else ''}{key}`"
    return f"`{re.sub('(TABLE|mart_TABLE)$', '*', name)}`"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        rendered = rendered_deployment(Path(name) / "work")
        written = page(rendered.policies, all_calls(rendered))
    PAGE.write_text(written, encoding="utf-8")
