"""One frozen settings object, and where each thing lies under the data home."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from python_ml.errors import UsageError

PACKAGE_DIR = Path(__file__).resolve().parent
PROJECT_DIR = PACKAGE_DIR.parent
ENV_PREFIX = "SPANISHGAS_"


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
    def work(self) -> Path:
        return self.home / ".runs"

    @cached_property
    def models(self) -> Path:
        return self.lake / "models"

    @cached_property
    def rejected(self) -> Path:
        return self.lake / "rejected"

    @cached_property
    def reports(self) -> Path:
        return self.home / "reports"


class Settings(Section):
    """All settings. Build it with `load_settings`; derive a changed copy with `with_overrides`."""

    @property
    def layout(self) -> Layout:
        return Layout(Path(self["home"]).expanduser().resolve())

    def with_overrides(self, overrides: Mapping[str, Any]) -> Settings:
        """A copy in which dotted names (`model.folds`) have new values; None is passed over."""
        values = self.as_dict()
        for name, value in overrides.items():
            if value is not None:
                _assign(values, name.split("."), value, name)
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
        _merge(values, _read(Path(own)), own)
    for variable, text in environ.items():
        path = variable.removeprefix(ENV_PREFIX).lower().split("__")
        if variable.startswith(ENV_PREFIX) and path[0] in values:
            _assign(values, path, yaml.safe_load(text), variable)
    return Settings(values).with_overrides(overrides or {})


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"settings file {path}: {error}") from error
    if not isinstance(values, dict):
        raise UsageError(f"settings file {path}: expected a mapping of settings")
    return values


def _merge(values: dict[str, Any], changes: Mapping[str, Any], source: str) -> None:
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(values.get(key), dict):
            _merge(values[key], value, source)
        else:
            _assign(values, [key], value, f"{source}: {key}")


def _assign(values: dict[str, Any], path: list[str], value: Any, source: str) -> None:
    for key in path[:-1]:
        values = values.get(key, {})
        if not isinstance(values, dict):
            raise UsageError(f"{source}: no such setting")
    if path[-1] not in values:
        raise UsageError(f"{source}: no such setting; see python_ml/settings.yml")
    default = values[path[-1]]
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if default is not None and not isinstance(value, type(default)):
        raise UsageError(
            f"{source}: expected {type(default).__name__}, got {value!r}; "
            "see python_ml/settings.yml"
        )
    values[path[-1]] = value
