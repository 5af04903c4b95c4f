"""Steps of a run as SageMaker jobs, under the conventions of /opt/ml.

    python -m python_ml.aws.sagemaker_entry train          a training job
    python -m python_ml.aws.sagemaker_entry <step>         a processing job

A training job reads `input/config/hyperparameters.json` (values are text: `run_id`, and settings by
dotted name such as `model.xgboost.max_depth`, which hold for this training alone) and the channels
under `input/data/`; it leaves the model's JSON documents in SM_MODEL_DIR, which SageMaker packs as
model.tar.gz, and reports in SM_OUTPUT_DATA_DIR. A processing job gets its run in SPANISHGAS_RUN_ID
and leaves its report in `processing/output`. A failure is told in `output/failure` (training) or
`output/message` (processing) and by the exit code. SAGEMAKER_BASE_DIR names another place than
/opt/ml, as in SageMaker's own toolkits.

Channel `settings` may hold a settings.yml, whose values win over the defaults.
"""

from __future__ import annotations

import json
import os
import pwd
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from python_ml.aws.step import WORK, run_step
from python_ml.documents import read_json
from python_ml.engines import open_store
from python_ml.errors import UsageError, foreseen
from python_ml.pipeline.context import ALONE, Share
from python_ml.registry.sagemaker import ARTIFACTS
from python_ml.settings import Settings, load_settings

TRAIN = "train"
USER = "spanishgas"  # of the image
_WRITTEN = ("model", "output", "output/data", "processing", "processing/output")
_LONGEST_FAILURE = 1024  # SageMaker shows no more


def become(name: str, root: Path) -> None:
    """Give the folders that a job writes to a user of the image, and go on as that user.

    SageMaker starts a container as root and mounts `root` as root's. Without root's rights, and
    where there is no such user, nothing is done.
    """
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        return
    if os.geteuid() != 0:
        return
    for folder in _WRITTEN:
        (root / folder).mkdir(parents=True, exist_ok=True)
        os.chown(root / folder, user.pw_uid, user.pw_gid)
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.environ["HOME"] = user.pw_dir


def base_dir() -> Path:
    return Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))


def main(arguments: list[str], root: Path | None = None) -> int:
    """Run the job; the exit code is the command's, and what failed is told as SageMaker wants."""
    root = root or base_dir()
    step = arguments[0] if arguments else TRAIN
    place = root / "output" / ("failure" if step == TRAIN else "message")
    try:
        if step not in WORK:
            raise UsageError(f"step {step!r}: it is one of {', '.join(WORK)}")
        (run_training if step == TRAIN else run_processing)(root, step)
    except Exception as error:
        told = foreseen(error)
        text = str(told or error) or repr(error)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text[:_LONGEST_FAILURE], encoding="utf-8")
        print(f"error: {text}", file=sys.stderr)
        return 1 if told is None else told.exit_code
    return 0


def run_training(root: Path, step: str = TRAIN) -> None:
    """Fit a candidate and hand its documents to SageMaker.

    Raises:
        UsageError: no run is named, or a hyperparameter is no setting.
    """
    path = root / "input/config/hyperparameters.json"
    given = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    run_id = given.pop("run_id", None) or os.environ.get("SPANISHGAS_RUN_ID")
    if not run_id:
        raise UsageError(f"{path}: the hyperparameter run_id names the run to train for")
    settings = job_settings(root)
    outcome = run_step(settings, run_id, step, _values(given))
    version = outcome.result["model_version"]
    model_dir = Path(os.environ.get("SM_MODEL_DIR", root / "model"))
    model_dir.mkdir(parents=True, exist_ok=True)
    store = open_store(settings)
    for name in ARTIFACTS:
        (model_dir / name).write_bytes(store.read(f"models/{version}/{name}"))
    report_dir = Path(os.environ.get("SM_OUTPUT_DATA_DIR", root / "output/data"))
    _report(report_dir, step, outcome.result)


def run_processing(root: Path, step: str) -> None:
    """Run another step.

    Raises:
        UsageError: no run is named.
    """
    if not (run_id := os.environ.get("SPANISHGAS_RUN_ID")):
        raise UsageError("SPANISHGAS_RUN_ID names the run that the job belongs to")
    outcome = run_step(job_settings(root), run_id, step, share=job_share(root))
    _report(root / "processing/output", step, outcome.result)


def job_share(root: Path) -> Share:
    """Which of a job's machines this one is, from `config/resourceconfig.json`.

    The job's name, in `config/processingjobconfig.json`, tells one attempt from the next.
    """
    resources, job = (
        read_json(root / "config" / f"{name}config.json") or {}
        for name in ("resource", "processingjob")
    )
    hosts = sorted(resources.get("hosts", []))
    if len(hosts) < 2:
        return ALONE
    return Share(hosts.index(resources["current_host"]), len(hosts), job["ProcessingJobName"])


def job_settings(root: Path) -> Settings:
    """Settings from the channel `settings` and the environment.

    SM_NUM_CPUS sets the threads unless SPANISHGAS_THREADS does.
    """
    environ = dict(os.environ)
    channel = Path(environ.get("SM_CHANNEL_SETTINGS", root / "input/data/settings"))
    if (own := channel / "settings.yml").exists():
        environ.setdefault("SPANISHGAS_SETTINGS", str(own))
    if cpus := environ.get("SM_NUM_CPUS"):
        environ.setdefault("SPANISHGAS_THREADS", cpus)
    return load_settings(environ=environ)


def _values(hyperparameters: Mapping[str, str]) -> dict[str, Any]:
    """Settings by dotted name; SageMaker hands on text."""
    return {name: yaml.safe_load(text) for name, text in hyperparameters.items()}


def _report(folder: Path, step: str, result: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=2, default=str)
    (folder / f"{step}.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    become(USER, base_dir())
    sys.exit(main(sys.argv[1:]))
