import pytest

from python_ml.config import load_settings
from python_ml.errors import UsageError


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
