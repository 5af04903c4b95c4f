"""The images as they are deployed: built, and run as their own users with what they hold."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.images.images import GIT_SHA, NAMES, Image
from tests.open_gate import FEW_TREES, OPEN_GATE, as_variables

# On disk; about a third of it in a registry.
LARGEST_BYTES = {"dbt": 1.05e9, "ml": 1.05e9, "trigger": 0.6e9}
CLI = ("python", "-m", "python_ml.cli")
USER = 10001


@pytest.fixture(params=NAMES)
def image(request: pytest.FixtureRequest) -> Image:
    return Image.build(request.param)


def test_an_image_is_no_larger_than_it_was(image: Image) -> None:
    print(f"{image.name}: {image.byte_count / 1e6:,.0f} MB")
    assert image.byte_count < LARGEST_BYTES[image.name]


def test_a_container_s_user_may_not_write_to_the_code(image: Image) -> None:
    script = (
        "import os, pathlib\n"
        "if os.geteuid() == 0:\n"  # of the ml image, until it has taken its folders
        "    from python_ml.aws.sagemaker_entry import USER, become\n"
        "    become(USER, pathlib.Path('/opt/ml'))\n"
        "print(os.geteuid())\n"
        "for name in ('/app/x', '/opt/venv/x', '/app/python_ml/x'):\n"
        "    try: pathlib.Path(name).touch()\n"
        "    except PermissionError: print('refused')\n"
        "pathlib.Path('/tmp/spanishgas/x').touch()\n"
    )
    done = image.call(["python", "-c", script])
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(USER), "refused", "refused", "refused"]


def test_an_image_says_that_it_is_healthy(image: Image) -> None:
    """Its own health check; Docker's engine would call it every minute."""
    text = (Path(__file__).parents[2] / "infra/docker/Dockerfile").read_text(encoding="utf-8")
    stage = text[text.index(f" AS {image.name}\n") :]
    command = stage[stage.index("HEALTHCHECK") :].splitlines()[0].partition(" CMD ")[2]
    done = image.call(json.loads(command))
    assert done.returncode == 0, done.stderr


def test_the_doctor_works_inside_an_image(image: Image) -> None:
    done = image.call([*CLI, "doctor", "--json"], {"SPANISHGAS_HOME": "/tmp/spanishgas"})
    assert done.stdout, done.stderr
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert (checks["packages"]["status"], checks["python"]["status"]) == ("ok", "ok"), checks
    assert "Traceback" not in done.stderr
    assert image.call([*CLI, "--version"]).stdout.startswith("spanishgas, version ")


def test_a_step_that_is_none_ends_with_the_code_of_usage(tmp_path: Path) -> None:
    done = Image.build("dbt").run(["brnze"], {"SPANISHGAS_HOME": "/tmp/spanishgas"})
    assert done.returncode == 2 and "usage: " in done.stderr
    (root := tmp_path / "opt-ml").mkdir()
    job = Image.build("ml").run(["brnze"], {}, {root: "/opt/ml"})
    assert job.returncode == 2, job.stderr
    message = root / "output" / "message"
    assert "brnze" in message.read_text(encoding="utf-8")
    assert message.stat().st_uid == USER, "SageMaker's mount is root's, the job is not"


def test_a_whole_run_inside_the_ml_image() -> None:
    """Files to published tables on DuckDB, by the image's user; dashboards are Metabase's there."""
    home = "--home /tmp/spanishgas/home"
    small = as_variables(OPEN_GATE | FEW_TREES)
    cli = shlex.join(CLI)
    script = (
        f"set -e; {cli} simulate {home} --customers 300; "
        f"{cli} run {home} --raw /tmp/spanishgas/home/raw > /dev/null; "
        "ls /tmp/spanishgas/home/warehouse.duckdb; cat /tmp/spanishgas/home/reports/runs/*.json"
    )
    as_user = (
        "import os, pathlib, sys; from python_ml.aws.sagemaker_entry import USER, become; "
        "become(USER, pathlib.Path('/opt/ml')); os.execvp('sh', ['sh', '-c', sys.argv[1]])"
    )
    done = Image.build("ml").call(["python", "-c", as_user, script], small, seconds=600)
    assert done.returncode == 0, done.stderr[-3000:]
    _, found, document = done.stdout.partition("/tmp/spanishgas/home/warehouse.duckdb\n")
    assert found
    record: dict[str, Any] = json.loads(document)["record"]
    assert (record["status"], record["git_sha"]) == ("succeeded", GIT_SHA)


def test_a_function_answers_through_the_runtime_interface_client() -> None:
    """What Lambda hands over and gets back; the events of an upload are those of the deployment."""
    trigger = Image.build("trigger")
    assert trigger.command == ["python_ml.aws.trigger.handler"]
    with pytest.raises(Exception, match="module_that_is_none"):
        trigger.invoke("module_that_is_none.handler", {}, {})
    names = {"STATE_MACHINE_ARN": "arn:none", "RUNS_TABLE": "none", "WAREHOUSE": "none"}
    region = {"AWS_DEFAULT_REGION": "eu-west-1"}
    answer = trigger.invoke(trigger.command[0], {"Records": []}, names | region)
    assert answer["batches"] == []
