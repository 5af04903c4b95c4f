import re
import subprocess
import warnings

import pytest
import xgboost as xgb

from python_ml import settings as config
from python_ml.errors import UsageError
from python_ml.pipeline.identity import work_hash
from python_ml.settings import PROJECT_DIR, load_settings


def test_flag_wins_over_environment_wins_over_file(tmp_path):
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
def test_a_setting_that_makes_no_sense_is_refused_by_name(overrides, environ, message):
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
def test_a_variable_that_no_setting_has_is_refused(variable, message):
    with pytest.raises(UsageError, match=message) as error:
        load_settings(environ={variable: "1"})
    assert str(error.value).startswith(variable)


def test_variables_of_dbt_secrets_and_containers_are_no_settings():
    environ = {f"SPANISHGAS_{name}": "x" for name in config.NOT_SETTINGS - {"SETTINGS"}}
    environ |= {"DBT_SPANISHGAS_WAREHOUSE": "x", "SPANISHGASLIGHT": "x"}
    assert load_settings(environ=environ) == load_settings(environ={})


def test_every_variable_that_we_speak_of_is_known():
    """In code, workflows, images, Terraform and docs; one that is not would end the command."""
    found = {}
    listed = subprocess.check_output(["git", "ls-files"], cwd=PROJECT_DIR, text=True)
    for path in listed.splitlines():
        if path != "tests/unit/test_config.py":
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


def own_file(tmp_path, text):
    (tmp_path / "own.yml").write_text(text)
    return {"SPANISHGAS_SETTINGS": str(tmp_path / "own.yml")}


def test_experiments_and_parameters_can_be_added_in_a_file(tmp_path):
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


def test_one_can_be_added_by_variable_and_by_hyperparameter(tmp_path):
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
def test_what_a_file_gets_wrong_is_told_with_file_and_key(tmp_path, text, key, message):
    with pytest.raises(UsageError, match=re.escape(message)) as error:
        load_settings(environ=own_file(tmp_path, text))
    assert key in str(error.value)
    if "no experiment" not in message:
        assert str(error.value).startswith(f"{tmp_path / 'own.yml'}: {key}")


def test_a_value_that_is_no_yaml_is_refused():
    with pytest.raises(UsageError, match="SPANISHGAS_THREADS: '\\[' cannot be read"):
        load_settings(environ={"SPANISHGAS_THREADS": "["})


def test_xgboost_knows_the_parameters_that_may_be_added():
    kinds = {int: 2, float: 0.5, str: "lossguide"}
    added = {name: kinds[type(value)] for name, value in config._XGBOOST.items()}
    rounds = added.pop("n_estimators")
    # Of a parameter that is not used, XGBoost only warns.
    assert warnings_of({**added, "tree_method": "hist"}, rounds) == []
    assert "not used" in warnings_of({"foo": 1}, 1)[0]


def warnings_of(parameters, rounds):
    data = xgb.DMatrix([[0.0], [1.0]], [0.0, 1.0])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        xgb.train({**parameters, "validate_parameters": True}, data, rounds)
    return [str(warning.message) for warning in told]


def test_settings_cannot_be_changed_in_place():
    settings = load_settings(environ={})
    changed = settings.with_overrides({"model.folds": 9})
    assert (settings.model.folds, changed.model.folds) == (5, 9)
    with pytest.raises(TypeError):
        settings["threads"] = 1


def test_everything_lies_under_the_home(tmp_path):
    layout = load_settings({"home": str(tmp_path)}, environ={}).layout
    for path in (layout.raw, layout.lake, layout.warehouse, layout.models, layout.reports):
        assert tmp_path in path.parents


def test_a_text_in_the_environment_is_no_yaml(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for home in ("[x] - {y}: *z", "'quoted'", "12", "null", "a: b"):
        settings = load_settings(environ={"SPANISHGAS_HOME": home})
        assert settings.layout.home == tmp_path / home


@pytest.mark.parametrize("name", ["home", "quality.rules"])
def test_without_a_home_folder_of_the_user_a_tilde_is_refused(monkeypatch, name):
    def unknown(_path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("pathlib.Path.expanduser", unknown)
    with pytest.raises(UsageError, match="Set the variable HOME"):
        work_hash(load_settings({name: "~/x"}, environ={}))
    environ = {"SPANISHGAS_SETTINGS": "~/own.yml"}
    with pytest.raises(UsageError, match="Set the variable HOME"):
        load_settings(environ=environ)
