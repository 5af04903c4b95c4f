"""One frozen settings object, and where each thing lies under the data home."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from python_ml.errors import UsageError

PACKAGE_DIR = Path(__file__).resolve().parent
PROJECT_DIR = PACKAGE_DIR.parent
ASSETS = PACKAGE_DIR / "pages" / "assets"  # what pages are made with, no data
ENV_PREFIX = "SPANISHGAS_"
# What the environment holds under the prefix that is no setting: the file that has them, what a
# container is told, and secrets, which no file holds. Any other name is a mistake.
NOT_SETTINGS = frozenset(
    {
        *("SETTINGS", "RUN_ID", "GIT_SHA"),
        *("METABASE_API_KEY", "METABASE_EMAIL", "METABASE_PASSWORD"),
        *("METABASE_AWS_ACCESS_KEY_ID", "METABASE_AWS_SECRET_ACCESS_KEY"),
        *("MARTS_PASSWORD", "MARTS_READER_PASSWORD"),
    }
)
# Parameters of XGBoost's trees that may be added, with a value of their kind. Objective, weights,
# seed and threads are the protocol's; of a parameter with two names, one is known.
_XGBOOST: dict[str, Any] = {
    **dict.fromkeys(("n_estimators", "max_depth", "max_leaves", "max_bin", "num_parallel_tree"), 0),
    **dict.fromkeys(("max_cat_to_onehot", "max_cat_threshold"), 0),
    **dict.fromkeys(("learning_rate", "gamma", "min_child_weight", "max_delta_step"), 0.0),
    **dict.fromkeys(("subsample", "reg_lambda", "reg_alpha"), 0.0),
    **dict.fromkeys(("colsample_bytree", "colsample_bylevel", "colsample_bynode"), 0.0),
    "grow_policy": "",
}
# Sections that a user may add to, and what a new entry must be like; None where there is none such.
_OPEN: dict[tuple[str, ...], Callable[[str], Any]] = {
    ("experiments",): lambda _name: [""],
    ("model", "xgboost"): _XGBOOST.get,
    ("ladder", "xgboost"): _XGBOOST.get,
    ("audit", "ablation"): _XGBOOST.get,
}
UMASKS = {"owner": 0o077, "group": 0o027, "everyone": 0o022}


@cache
def project() -> dict[str, Any]:
    """What pyproject.toml says of the project; images hold the file, but no installed package."""
    text = (PROJECT_DIR / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["project"]


class Section(Mapping[str, Any]):
    """A read-only part of the settings: `settings.model.folds` and `settings["model"]["folds"]`."""

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        self._path = path
        self._values = {
            key: Section(value, f"{path}{key}.") if isinstance(value, Mapping) else value
            for key, value in values.items()
        }

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"no setting {self._path}{name}") from None

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self):
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def as_dict(self) -> dict[str, Any]:
        return {
            key: value.as_dict() if isinstance(value, Section) else value
            for key, value in self._values.items()
        }


@dataclass(frozen=True)
class Layout:
    """Paths under one data home."""

    home: Path

    @cached_property
    def raw(self) -> Path:
        return self.home / "raw"

    @cached_property
    def lake(self) -> Path:
        return self.home / "lake"

    @cached_property
    def batches(self) -> Path:
        return self.lake / "batches"

    @cached_property
    def warehouse(self) -> Path:
        return self.home / "warehouse.duckdb"

    @cached_property
    def runs(self) -> Path:
        """The record of runs."""
        return self.home / "runs.sqlite"

    @cached_property
    def work(self) -> Path:
        return self.home / ".runs"

    @cached_property
    def models(self) -> Path:
        return self.lake / "models"

    @cached_property
    def rejected(self) -> Path:
        return self.lake / "rejected"

    @cached_property
    def forgetting(self) -> Path:
        """What is still to be searched for of people who are not wholly forgotten."""
        return self.home / ".forgetting"

    @cached_property
    def reports(self) -> Path:
        return self.home / "reports"


def expanded(path: str | Path) -> Path:
    """The path with the user's home folder in place of `~`.

    A folder may be called `~name`, where no user has that name.

    Raises:
        UsageError: nothing says which folder `~` stands for.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        if Path(path).parts[0] == "~":
            raise UsageError(
                f"{path}: the home folder of this user is unknown. Set the variable HOME, or name "
                "the whole path."
            ) from None
        return Path(path)


class Settings(Section):
    """All settings. Build it with `load_settings`; derive a changed copy with `with_overrides`."""

    @property
    def layout(self) -> Layout:
        return Layout(expanded(self["home"]).resolve())

    @property
    def umask(self) -> int:
        """The permissions that files and folders are made without.

        Raises:
            UsageError: `readable_by` names nobody known.
        """
        if self.readable_by not in UMASKS:
            raise UsageError(f"readable_by is {self.readable_by!r}; expected {', '.join(UMASKS)}")
        return UMASKS[self.readable_by]

    def with_overrides(self, overrides: Mapping[str, Any]) -> Settings:
        """A copy in which dotted names (`model.folds`) have new values; None is passed over."""
        values = self.as_dict()
        for name, value in overrides.items():
            if value is not None:
                _assign(values, tuple(name.split(".")), value, name)
        return Settings(values)


def load_settings(
    overrides: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Settings by flag (`overrides`, dotted names), environment variable, settings file.

    Raises:
        UsageError: a file that cannot be read, a setting that does not exist or a value of
            another kind than the default's.
    """
    environ = os.environ if environ is None else environ
    values = _read(PACKAGE_DIR / "settings.yml")
    if own := environ.get(f"{ENV_PREFIX}SETTINGS"):
        _assign(values, (), _read(expanded(own)), own)
    for variable, text in environ.items():
        name = variable.removeprefix(ENV_PREFIX)
        if variable.startswith(ENV_PREFIX) and name not in NOT_SETTINGS:
            path = _path(values, name.split("__"))
            try:
                value = text if _is_text(values, path) else yaml.safe_load(text)
            except yaml.YAMLError as error:
                raise UsageError(f"{variable}: {text!r} cannot be read: {error}") from error
            _assign(values, path, value, variable)
    settings = Settings(values).with_overrides(overrides or {})
    for name in ("experiment", "fallback_experiment"):
        if settings.model[name] not in settings.experiments:
            raise UsageError(
                f"model.{name}: there is no experiment {settings.model[name]!r}; settings know "
                f"{', '.join(settings.experiments)}"
            )
    _check_home(settings.layout.home)
    return settings


def _check_home(home: Path) -> None:
    """Refuse the few homes that an engine would take for something else.

    DuckDB's write-ahead log ends up elsewhere after a `?`, its paths with wildcards have no way to
    write a backslash, it reads `name=value` as a column, and dbt-duckdb reads an address up to `#`.
    """
    found = next((sign for sign in "?#\\=" if sign in str(home)), None)
    try:
        str(home).encode()
    except UnicodeEncodeError:
        found = "bytes that are not UTF-8"
    if found is not None:
        raise UsageError(
            f"home {str(home)!r}: the path has {found}, which DuckDB or dbt would misread. "
            r"Choose a home whose path is UTF-8, without ? # \ and =."
        )


def _is_text(values: Any, path: tuple[str, ...]) -> bool:
    """Whether a setting is a text, such as a path, which YAML could take for something else."""
    for name in path:
        values = values.get(name) if isinstance(values, Mapping) else None
    return isinstance(values, str)


def _path(values: Mapping[str, Any], names: list[str]) -> tuple[str, ...]:
    """The names in a variable, which has capitals alone, as the settings spell them."""
    path: list[str] = []
    here: Any = values
    for name in names:
        known = {key.upper(): key for key in here} if isinstance(here, Mapping) else {}
        path.append(known.get(name.upper(), name.lower()))
        here = here.get(path[-1]) if isinstance(here, Mapping) else None
    return tuple(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"settings file {path}: {error}") from error
    if not isinstance(values, dict):
        raise UsageError(f"settings file {path}: expected a mapping of settings")
    return values


def _assign(values: dict[str, Any], path: tuple[str, ...], value: Any, source: str) -> None:
    """Set one setting, or with a mapping those that it names, in the nested `values`.

    Args:
        values: all settings, which are changed.
        path: of the setting; none for all of them.
        value: what it is to be.
        source: file or variable that says so.

    Raises:
        UsageError: there is no such setting, or the value is of another kind.
    """
    around: Any = values
    for depth, key in enumerate(path):
        if not isinstance(around, dict) or (key not in around and depth < len(path) - 1):
            raise _unknown(path[: depth + 1], around, source)
        if depth < len(path) - 1:
            around = around[key]
    if not path or isinstance(around.get(path[-1]), dict):
        if not isinstance(value, Mapping):
            raise UsageError(
                f"{_named(source, path)}: expected a section of settings, got {value!r}"
            )
        for key, entry in value.items():
            _assign(values, (*path, str(key)), entry, source)
        return
    parent, key = path[:-1], path[-1]
    if key not in around:
        if parent not in _OPEN:
            raise _unknown(path, around, source)
        kind = _OPEN[parent](key)
        if kind is None:
            raise _unknown(path, _XGBOOST, source)
        default: Any = kind
    else:
        default = around[key]
    around[key] = _checked(value, default, _named(source, path))


def _checked(value: Any, default: Any, named: str) -> Any:
    """The value, if it is of the default's kind; an integer will do for a float."""
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if default is None:  # not set by default: all of these are texts
        is_right, wanted = value is None or isinstance(value, str), "str"
    elif isinstance(default, list):
        kinds = {type(entry) for entry in default}  # of an empty list, nobody knows
        is_right = isinstance(value, list) and (
            not kinds or {type(entry) for entry in value} <= kinds
        )
        wanted = " of ".join(["a list", *(kind.__name__ for kind in kinds)])
    else:
        is_right, wanted = type(value) is type(default), type(default).__name__
    if not is_right:
        raise UsageError(f"{named}: expected {wanted}, got {value!r}; see python_ml/settings.yml")
    return value


def _named(source: str, path: tuple[str, ...]) -> str:
    """The place of a setting for a message: a file and the key, or the variable alone."""
    dotted = ".".join(path)
    says_it = source.startswith(ENV_PREFIX) or source == dotted
    return source if says_it or not path else f"{source}: {dotted}"


def _unknown(path: tuple[str, ...], around: Any, source: str) -> UsageError:
    known = list(around) if isinstance(around, Mapping) else []
    close = difflib.get_close_matches(path[-1], known, n=1)
    meant = f" (did you mean {'.'.join((*path[:-1], close[0]))}?)" if close else ""
    return UsageError(f"{_named(source, path)}: no such setting{meant}; see python_ml/settings.yml")
