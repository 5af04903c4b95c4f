"""Real Terraform makes each environment, changes nothing the second time, and removes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.infra.terraform import CONFIGURATION, IMAGES, REGION, Workspace

ENVIRONMENTS = sorted(path.stem for path in (CONFIGURATION / "environments").glob("*.tfvars"))


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An emulated S3 with the bucket of the state."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://127.0.0.1:{port}" if host == "0.0.0.0" else f"http://{host}:{port}"
    s3 = boto3.client(
        "s3",
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    s3.create_bucket(Bucket="state", CreateBucketConfiguration={"LocationConstraint": REGION})
    yield url
    server.stop()


def test_there_are_three_environments() -> None:
    assert ENVIRONMENTS == ["dev", "prod", "staging"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_is_made_kept_and_removed(
    environment: str, endpoint: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In the order of the runbook: registries, images, everything, nothing more, removal."""
    work = Workspace(tmp_path_factory.mktemp(environment), environment, endpoint)
    work.init()
    work.run("validate", "-no-color")
    work.change("apply", "-auto-approve", "-target=module.ecr")
    registries = set(work.state())
    assert {address.split(".")[1] for address in registries} == {"ecr", "s3"}  # and its key
    said = work.change("plan", codes=(1,))  # nothing can run before its image has been pushed
    assert "Invalid index" in said
    work.write_variables("pushed", {"image_uris": IMAGES})
    work.change("plan", "-out=plan")
    work.run("apply", "-input=false", "-no-color", "plan")
    made = work.state()
    assert len(made) > 140
    assert registries < set(made)
    said = work.change("plan", "-detailed-exitcode")  # exit code 2 would be a change
    assert "No changes" in said
    said = work.change("destroy", "-auto-approve", codes=(1,))
    assert "is protected against deletion" in said
    off = "-var=deletion_protection=false"
    work.change("apply", "-auto-approve", off)
    work.change("destroy", "-auto-approve", off)
    assert not work.state()
    print(f"\n{environment}: {len(made)} resources")


def test_a_saved_plan_is_refused_once_the_state_has_moved(tmp_path: Path) -> None:
    work = Workspace(tmp_path / "w")
    work.init()
    work.write_variables("pushed", {"image_uris": IMAGES})
    work.change("plan", "-out=plan")
    work.change("apply", "-auto-approve", "-target=module.ecr")
    assert "stale" in work.run("apply", "-input=false", "-no-color", "plan", codes=(1,))


@pytest.mark.parametrize("name", ["athena.lake", "home", "land.mapping", "GATE__MINIMUM_RECALL"])
def test_settings_that_terraform_makes_are_not_taken(name: str, tmp_path: Path) -> None:
    work = Workspace(tmp_path / "w")
    work.init()
    work.write_variables("settings", {"image_uris": IMAGES, "settings": {name: "0.6"}})
    assert "Each is the name of a setting" in work.change("plan", codes=(1,))


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("environment", "test", "An environment is dev, staging or prod"),
        ("image_uris", dict.fromkeys(IMAGES, "x:latest"), "named by its digest"),
        ("office_cidr_blocks", ["8.8.8.0/24"], "only private networks"),
        ("budget_usd", "much", "a number is required"),
    ],
)
def test_a_wrong_value_is_refused(variable: str, value: object, said: str, tmp_path: Path) -> None:
    work = Workspace(tmp_path / "w")
    work.init()
    work.write_variables("pushed", {"image_uris": IMAGES})
    work.write_variables("zz", {variable: value})
    options = [] if variable not in ("environment", "budget_usd") else [f"-var={variable}={value}"]
    printed = work.change("plan", *options, codes=(1,))
    assert said in re.sub(r"\s+", " ", printed.replace("│", " "))


def test_modules_decide_as_they_should(tmp_path: Path) -> None:
    """`terraform test`, which asks modules one by one."""
    work = Workspace(tmp_path / "w")
    work.init()
    said = work.run("test", "-no-color")
    assert re.search(r"Success! [6-9] passed, 0 failed", said), said
