"""Real Terraform on this configuration, with a provider of the tests' own.

`Workspace` holds a copy of the configuration and runs the `terraform` of this machine in it, if
wanted with its state in an emulated S3. The provider (`provider/`) is built once into the cache of
the checkers; its schema is that of the published bindings (`provider_schema.py`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from python_ml.settings import PROJECT_DIR
from tests.infra.provider_schema import schema

CACHE = Path(os.environ.get("TEST_CACHE", Path.home() / ".cache/spanishgas")) / "infra"
BINDINGS = CACHE / "node_modules/@cdktf/provider-aws/lib"
CONFIGURATION = PROJECT_DIR / "infra/terraform"
REGION, ACCOUNT = "eu-south-2", "111122223333"
DIGEST = "sha256:" + "0123456789abcdef" * 4
OWN = {
    "region": REGION,
    "prefix": "sg",
    "image_uris": {},
    "office_cidr_blocks": ["10.0.0.0/8"],
    "metabase_domain": "churn.example.internal",
    "certificate_arn": f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/1",
    "mail_addresses": ["data@example.com"],
    "github_repository": "owner/name",
}
IMAGES = {
    name: f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/sg/{name}@{DIGEST}"
    for name in ("dbt", "ml", "trigger", "metabase")
}


def provider_version() -> str:
    """The version that the configuration asks for."""
    text = (CONFIGURATION / "versions.tf").read_text(encoding="utf-8")
    found = re.search(r'source\s+= "hashicorp/aws"\s+version\s+= "([\d.]+)"', text)
    assert found, "versions.tf pins no exact version of the provider"
    return found[1]


def build_provider() -> Path:
    """The mirror that holds the provider, built if its source has changed."""
    source = Path(__file__).parent / "provider"
    digest = hashlib.sha256()
    for path in sorted(source.iterdir()):
        digest.update(path.read_bytes())
    version = provider_version()
    mirror = CACHE / f"mirror-{digest.hexdigest()[:12]}"
    folder = mirror / f"registry.terraform.io/hashicorp/aws/{version}/linux_amd64"
    binary = folder / f"terraform-provider-aws_v{version}"
    if not binary.exists():
        folder.mkdir(parents=True, exist_ok=True)
        # Under a name of its own, since two suites may begin at once.
        unfinished = folder / f"unfinished-{os.getpid()}"
        command = ["go", "build", "-trimpath", "-o", str(unfinished), "."]
        environment = {**os.environ, "CGO_ENABLED": "0"}
        subprocess.run(command, cwd=source, env=environment, check=True, timeout=900)
        unfinished.rename(binary)
    return mirror


def used_types(folder: Path) -> tuple[set[str], set[str]]:
    """Types of resources and of data sources in a configuration."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.tf"))
    return (
        set(re.findall(r'^resource "(\w+)"', text, re.MULTILINE)),
        set(re.findall(r'^data "(\w+)"', text, re.MULTILINE)),
    )


@dataclass
class Workspace:
    """A copy of the configuration in a folder of its own."""

    folder: Path
    environment: str = "dev"
    s3_endpoint: str | None = None  # of an emulator; the state is a local file without one
    variables: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.root = self.folder / "infra/terraform"
        ignored = shutil.ignore_patterns(".terraform", "*.tfvars.json")
        shutil.copytree(CONFIGURATION, self.root, ignore=ignored)
        shutil.copytree(PROJECT_DIR / "analyses", self.folder / "analyses")
        lock = self.root / ".terraform.lock.hcl"
        if lock.exists():  # its hashes are those of the real provider
            text = re.sub(r"  hashes = \[.*?\]\n", "", lock.read_text("utf-8"), flags=re.DOTALL)
            lock.write_text(text, encoding="utf-8")
        described = self.folder / "schema.json"
        described.write_text(json.dumps(schema(BINDINGS, *used_types(CONFIGURATION))), "utf-8")
        rc = self.folder / "terraform.rc"
        mirror = json.dumps(str(build_provider()))
        rc.write_text(
            f"provider_installation {{\n filesystem_mirror {{\n  path = {mirror}\n }}\n}}\n"
            "disable_checkpoint = true\n",
            encoding="utf-8",
        )
        self.write_variables("own", OWN)
        self.variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TF_")},
            "TF_CLI_CONFIG_FILE": str(rc),
            "TF_IN_AUTOMATION": "1",
            "TEST_PROVIDER_SCHEMA": str(described),
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }
        if self.s3_endpoint is None:
            text = 'terraform {\n  backend "local" {}\n}\n'
            (self.root / "backend_override.tf").write_text(text, encoding="utf-8")

    def write_variables(self, name: str, values: dict[str, Any]) -> None:
        """Values that every later command reads."""
        (self.root / f"{name}.auto.tfvars.json").write_text(json.dumps(values), encoding="utf-8")

    def run(self, *command: str, codes: tuple[int, ...] = (0,)) -> str:
        """Run a command of Terraform; what it printed.

        Raises:
            AssertionError: it ended with another exit code than `codes` has.
        """
        done = subprocess.run(
            ["terraform", *command],
            cwd=self.root,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode in codes, f"terraform {' '.join(command)}: {done.returncode}\n{said}"
        return said

    def init(self) -> str:
        """Initialise with the backend's settings as the runbook gives them."""
        options = [f"-backend-config=environments/{self.environment}.s3.tfbackend"]
        if self.s3_endpoint is None:
            return self.run("init", "-input=false", "-no-color")
        emulated = {
            "bucket": "state",
            "region": REGION,
            "use_path_style": "true",
            "skip_credentials_validation": "true",
            "skip_requesting_account_id": "true",
            "skip_metadata_api_check": "true",
            "skip_region_validation": "true",
        }
        options += [f"-backend-config={name}={value}" for name, value in emulated.items()]
        self.variables["AWS_ENDPOINT_URL_S3"] = self.s3_endpoint
        return self.run("init", "-input=false", "-no-color", *options)

    def change(self, command: str, *options: str, codes: tuple[int, ...] = (0,)) -> str:
        """Run plan, apply or destroy of the environment."""
        own = f"-var-file=environments/{self.environment}.tfvars"
        return self.run(command, "-input=false", "-no-color", own, *options, codes=codes)

    def state(self) -> dict[str, dict[str, Any]]:
        """Every resource that Terraform keeps: address -> its values."""
        shown = json.loads(self.run("show", "-json"))
        return dict(_resources(shown.get("values", {}).get("root_module", {})))


def _resources(module: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    own = [
        (entry["address"], entry["values"])
        for entry in module.get("resources", [])
        if entry["mode"] == "managed"
    ]
    for child in module.get("child_modules", []):
        own += _resources(child)
    return own
