from __future__ import annotations

import inspect
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import xgboost as xgb
import yaml
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from python_ml import settings as config
from python_ml.contracts.settings_page import settings_page
from python_ml.errors import UsageError
from python_ml.pipeline.identity import work_hash
from python_ml.settings import PROJECT_DIR, load_settings


def test_flag_wins_over_environment_wins_over_file(tmp_path: Path) -> None:
    own = tmp_path / "settings.yml"
    own.write_text("threads: 3\nmodel:\n  folds: 3\n")
    environ = {"SPANISHGAS_SETTINGS": str(own)}

    assert load_settings(environ=environ).model.folds == 3
    assert load_settings(environ=environ).model.seed == 42, "what the file leaves out is default"

    environ["SPANISHGAS_MODEL__FOLDS"] = "4"
    assert load_settings(environ=environ).model.folds == 4
    assert load_settings({"model.folds": 6}, environ=environ).model.folds == 6
    assert load_settings({"model.folds": None}, environ=environ).model.folds == 4


@pytest.mark.parametrize(
    ("overrides", "environ", "message"),
    [
        ({"model.fold": 3}, {}, "no such setting"),
        ({}, {"SPANISHGAS_MODEL__FOLDS": "many"}, "expected int"),
        ({}, {"SPANISHGAS_THREADS": "[1]"}, "expected int"),
        ({}, {"SPANISHGAS_SETTINGS": "/does/not/exist.yml"}, "exist.yml"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_name(
    overrides: dict[str, int], environ: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        load_settings(overrides, environ=environ)


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("SPANISHGAS_GATES__MINIMUM_PR_AUC", "did you mean gate"),
        ("SPANISHGAS_GATE__MINIMUM_PRAUC", "did you mean gate.minimum_pr_auc"),
        ("SPANISHGAS_FOO", "no such setting"),
        ("SPANISHGAS_WAREHOUSE", "no such setting"),
        ("SPANISHGAS_THREADS__MORE", "no such setting"),
        ("SPANISHGAS_MODEL__FOLDS__MORE", "no such setting"),
        ("SPANISHGAS_", "no such setting"),
        ("SPANISHGAS_MODEL", "expected a section"),
        ("SPANISHGAS_MODEL__XGBOOST__OBJECTIVE", "no such setting"),
        ("SPANISHGAS_MODEL__XGBOOST__MAX_DEPHT", "did you mean model.xgboost.max_depth"),
    ],
)
def test_a_variable_that_no_setting_has_is_refused(variable: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as error:
        load_settings(environ={variable: "1"})
    assert str(error.value).startswith(variable)


def test_variables_of_dbt_secrets_and_containers_are_no_settings() -> None:
    environ = {f"SPANISHGAS_{name}": "x" for name in config.NOT_SETTINGS - {"SETTINGS"}}
    environ |= {"DBT_SPANISHGAS_WAREHOUSE": "x", "SPANISHGASLIGHT": "x"}
    assert load_settings(environ=environ) == load_settings(environ={})


def test_every_variable_that_we_speak_of_is_known() -> None:
    """In code, workflows, images, Terraform and docs; one that is not would end the command."""
    found: dict[str, str] = {}
    listed = subprocess.check_output(["git", "ls-files"], cwd=PROJECT_DIR, text=True)
    for path in listed.splitlines():
        if path != "tests/unit/project/test_config.py":
            text = (PROJECT_DIR / path).read_text(encoding="utf-8", errors="ignore")
            for name in re.findall(r"\bSPANISHGAS_([A-Z][A-Z_]*[A-Z])\b", text):
                found.setdefault(name, path)
    for name, path in found.items():
        if name not in config.NOT_SETTINGS:
            try:
                load_settings(environ={f"SPANISHGAS_{name}": "{}"})
            except UsageError as error:  # of another kind than the setting
                assert "no such setting" not in str(error), path
    assert "GATE__MINIMUM_PR_AUC" in found


def own_file(tmp_path: Path, text: str) -> dict[str, str]:
    (tmp_path / "own.yml").write_text(text)
    return {"SPANISHGAS_SETTINGS": str(tmp_path / "own.yml")}


def test_experiments_and_parameters_can_be_added_in_a_file(tmp_path: Path) -> None:
    text = """
model: {experiment: E9_mine, xgboost: {min_child_weight: 5, grow_policy: lossguide}}
experiments: {E9_mine: [1A, "3"], E5_full: [1A]}
ladder: {xgboost: {reg_lambda: 2}}
audit: {ablation: {max_depth: 2}}
"""
    settings = load_settings(environ=own_file(tmp_path, text))
    assert settings.experiments["E9_mine"] == ["1A", "3"]
    assert settings.experiments["E5_full"] == ["1A"]
    assert settings.experiments["E8_no_sentiment"]
    assert settings.model.xgboost.min_child_weight == 5.0
    assert settings.model.xgboost.max_depth == 3, "what is left out is as before"
    assert settings.ladder.xgboost.reg_lambda == 2.0
    assert settings.audit.ablation.max_depth == 2


def test_one_can_be_added_by_variable_and_by_hyperparameter(tmp_path: Path) -> None:
    environ = {"SPANISHGAS_EXPERIMENTS__E5_FULL": "[1A]", "SPANISHGAS_EXPERIMENTS__E9": "[2A]"}
    settings = load_settings({"model.xgboost.gamma": 1}, environ=environ)
    assert (settings.experiments["E5_full"], settings.experiments["e9"]) == (["1A"], ["2A"])
    assert settings.model.xgboost.gamma == 1.0


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("experiments: {E9: [1A, 3]}", "experiments.E9", "a list of str"),
        ("experiments: {E9: 1A}", "experiments.E9", "a list of str"),
        ("experiments: [E9]", "experiments", "expected a section"),
        ("model: {xgboost: {gamma: much}}", "model.xgboost.gamma", "expected float"),
        ("model: {xgboost: {max_bin: 2.5}}", "model.xgboost.max_bin", "expected int"),
        ("model: {xgboost: {max_bin: true}}", "model.xgboost.max_bin", "expected int"),
        ("model: {xgboost: {eta: 0.1}}", "model.xgboost.eta", "no such setting"),
        ("model: {xgboost: 5}", "model.xgboost", "expected a section"),
        ("model: 5", "model", "expected a section"),
        ("model: {experiment: E77}", "model.experiment", "no experiment 'E77'"),
        ("model: {experiment: [E5_full]}", "model.experiment", "expected str"),
        ("ladder: {random_forest: {foo: 1}}", "ladder.random_forest.foo", "no such setting"),
        ("threads: true", "threads", "expected int"),
        ("alerts: {sinks: [1]}", "alerts.sinks", "a list of str"),
        ("alerts: {webhook_url: 5}", "alerts.webhook_url", "expected str"),
        ("quality: {data_docs: 1}", "quality.data_docs", "expected bool"),
        ("gates: {minimum_pr_auc: 0.1}", "gates", "did you mean gate"),
    ],
)
def test_what_a_file_gets_wrong_is_told_with_file_and_key(
    tmp_path: Path, text: str, key: str, message: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(message)) as error:
        load_settings(environ=own_file(tmp_path, text))
    assert key in str(error.value)
    if "no experiment" not in message:
        assert str(error.value).startswith(f"{tmp_path / 'own.yml'}: {key}")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("gate.minimum_recall", 65, "expected float from 0 to 1, got 65"),
        ("gate.minimum_recall", -0.1, "expected float from 0 to 1, got -0.1"),
        ("gate.minimum_recall", True, "expected float from 0 to 1, got True"),
        ("land.maximum_null_share", float("nan"), "expected float from 0 to 1, got nan"),
        ("model.folds", 1, "expected int, at least 2, got 1"),
        ("model.test_share", 1.0, "expected float, above 0, below 1, got 1.0"),
        ("model.xgboost.max_bin", 1, "expected int or null, at least 2, got 1"),
        ("marts.port", 70000, "expected int from 1 to 65535, got 70000"),
        ("target", "spark", "expected one of duckdb, athena, got 'spark'"),
        ("readable_by", "nobody", "expected one of owner, group, everyone, got 'nobody'"),
        ("simulate.text_signal", "strong", "expected one of as-published, weak, none"),
        ("gate.approval", "never", "expected one of automatic, manual"),
        ("alerts.timeout_seconds", 0, "expected float, above 0, got 0"),
        ("home", "", "expected str, not empty, got ''"),
    ],
)
def test_a_value_that_is_plainly_wrong_is_refused_wherever_it_comes_from(
    tmp_path: Path, name: str, value: Any, message: str
) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(f'{name}: {message}')}"):
        load_settings({name: value}, environ={})
    text = yaml.safe_dump(value).removesuffix("\n...\n").strip()
    variable = f"SPANISHGAS_{name.upper().replace('.', '__')}"
    environ = {variable: value if isinstance(value, str) else text}
    with pytest.raises(UsageError, match=f"^{re.escape(f'{variable}: {message}')}"):
        load_settings(environ=environ)
    nested = value
    for part in reversed(name.split(".")):
        nested = {part: nested}
    environ = own_file(tmp_path, yaml.safe_dump(nested))
    with pytest.raises(UsageError, match=re.escape(f"own.yml: {name}: {message}")):
        load_settings(environ=environ)


def test_what_a_file_gets_wrong_is_told_though_a_variable_says_otherwise(tmp_path: Path) -> None:
    environ = own_file(tmp_path, "threads: many") | {"SPANISHGAS_THREADS": "3"}
    with pytest.raises(UsageError, match=r"own\.yml: threads: expected int"):
        load_settings({"threads": 4}, environ=environ)


def test_a_text_that_may_be_left_out_is_no_yaml_either(tmp_path: Path) -> None:
    for text in ("[x].yml", "12", "a: b"):
        assert load_settings(environ={"SPANISHGAS_QUALITY__RULES": text}).quality.rules == text
    environ = own_file(tmp_path, "alerts: {webhook_url: https://x}")
    for text in ("", "null", "~"):
        environ["SPANISHGAS_ALERTS__WEBHOOK_URL"] = text
        assert load_settings(environ=environ).alerts.webhook_url is None


def test_every_setting_says_what_it_is_for_and_has_a_type() -> None:
    assert len(list(fields_of(config.Settings))) > 100
    for name, section, field in fields_of(config.Settings):
        assert (field.description or "").endswith("."), name
        words = config.kind_of(config.type_of(section, name.rpartition(".")[2]))
        assert "Any" not in words and "object" not in words, name


def fields_of(
    section: type[config.Section], path: str = ""
) -> Iterator[tuple[str, type[config.Section], FieldInfo]]:
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, config.Section):
            assert inspect.getdoc(field.annotation), name
            yield from fields_of(field.annotation, f"{path}{name}.")
        else:
            yield f"{path}{name}", section, field


def test_the_page_shows_every_setting_and_is_current() -> None:
    page = settings_page()
    assert page == (PROJECT_DIR / "docs" / "settings.md").read_text(encoding="utf-8")
    for name, _, _ in fields_of(config.Settings):
        section, _, key = name.rpartition(".")
        part = page.split(f"## {section or 'Not in a section'}\n")[1].split("\n## ")[0]
        assert f"| `{key}` |" in part


def test_help_and_version_do_not_wait_for_the_settings() -> None:
    script = """
import sys
from contextlib import suppress
from python_ml.cli.main import cli
with suppress(SystemExit):
    cli(["--help"])
assert "pydantic" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.thorough
@pytest.mark.parametrize("command", [["land", "nowhere"], ["status"]])
def test_who_lands_or_looks_does_not_wait_for_learners(tmp_path: Path, command: list[str]) -> None:
    script = """
import sys
from contextlib import suppress
from python_ml.cli.main import cli
with suppress(Exception):
    cli([*sys.argv[2:], "--home", sys.argv[1]], standalone_mode=False)
assert "python_ml.engines" in sys.modules  # it began
assert not {"xgboost", "sklearn", "scipy", "matplotlib", "dbt", "sqlglot"} & set(sys.modules)
"""
    arguments = [sys.executable, "-c", script, str(tmp_path), *command]
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)


def test_settings_made_anywhere_else_read_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    monkeypatch.setenv("SPANISHGAS_THREADS", "9")
    assert config.Settings() == load_settings(environ={})


def test_a_value_that_is_no_yaml_is_refused() -> None:
    with pytest.raises(UsageError, match="SPANISHGAS_THREADS: '\\[' cannot be read"):
        load_settings(environ={"SPANISHGAS_THREADS": "["})


def test_xgboost_knows_the_parameters_that_may_be_added() -> None:
    added: dict[str, Any] = {}
    for name in config.XgboostParameters.model_fields:
        kind = config.kind_of(config._declared(("model", "xgboost", name)))
        added[name] = (
            2 if kind.startswith("int") else 0.5 if kind.startswith("float") else "lossguide"
        )
    rounds = added.pop("n_estimators")
    # Of a parameter that is not used, XGBoost only warns.
    assert warnings_of({**added, "tree_method": "hist"}, rounds) == []
    assert "not used" in warnings_of({"foo": 1}, 1)[0]


def warnings_of(parameters: Mapping[str, Any], rounds: int) -> list[str]:
    data = xgb.DMatrix([[0.0], [1.0]], [0.0, 1.0])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        xgb.train({**parameters, "validate_parameters": True}, data, rounds)
    return [str(warning.message) for warning in told]


def test_settings_cannot_be_changed_in_place() -> None:
    settings = load_settings(environ={})
    changed = settings.with_overrides({"model.folds": 9})
    assert (settings.model.folds, changed.model.folds) == (5, 9)
    for section, name in ((settings, "threads"), (settings.model.xgboost, "max_depth")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(section, name, 1)


def test_everything_lies_under_the_home(tmp_path: Path) -> None:
    layout = load_settings({"home": str(tmp_path)}, environ={}).layout
    for path in (layout.raw, layout.lake, layout.warehouse, layout.models, layout.reports):
        assert tmp_path in path.parents


def test_a_text_in_the_environment_is_no_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for home in ("[x] - {y}: *z", "'quoted'", "12", "null", "a: b"):
        settings = load_settings(environ={"SPANISHGAS_HOME": home})
        assert settings.layout.home == tmp_path / home


@pytest.mark.parametrize("name", ["home", "quality.rules"])
def test_without_a_home_folder_of_the_user_a_tilde_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def unknown(_path: Any) -> None:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("pathlib.Path.expanduser", unknown)
    with pytest.raises(UsageError, match="Set the variable HOME"):
        work_hash(load_settings({name: "~/x"}, environ={}))
    environ = {"SPANISHGAS_SETTINGS": "~/own.yml"}
    with pytest.raises(UsageError, match="Set the variable HOME"):
        load_settings(environ=environ)
