"""The reference of the settings, out of their classes, as a Markdown page.

python -m python_ml.contracts.settings_page > docs/settings.md
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from python_ml.settings import ENV_PREFIX, Section, kind_of, load_settings, type_of

_HEAD = f"""# Settings

Written by `make settings-page` from `python_ml/settings.py`; do not edit.

A flag of the command wins over an environment variable, which wins over the settings file, \
which wins over the default. The variable of a setting is `{ENV_PREFIX}` and its name in \
capitals; two underscores go one level down. The file is YAML, and `{ENV_PREFIX}SETTINGS` names \
it; what it leaves out has its default.

```yaml
threads: 4
model:
  folds: 10
  xgboost:
    min_child_weight: 5
experiments:
  E9_mine: [1A, "3"]
```

`{ENV_PREFIX}MODEL__FOLDS=10` sets the same number of folds. An unknown name and a value of \
another kind are refused, wherever they are set, with exit code 2. Only `experiments` and the \
parameters of XGBoost (`model.xgboost`, `ladder.xgboost`, `audit.ablation`) can be added to. \
Policies that SQL applies (tiers, offers, economics, keywords) are seeds, not settings.
"""


def settings_page() -> str:
    """The page: settings outside of sections first, then a table a section."""
    settings = load_settings(environ={})
    return "\n".join([_HEAD, *_tables(settings, "")])


def _tables(section: Section, path: str) -> Iterator[str]:
    fields = type(section).model_fields
    inner = {name for name in fields if isinstance(getattr(section, name), Section)}
    if path:
        yield from (f"## {path}", "", _one_line(inspect.getdoc(type(section)) or ""), "")
    else:
        yield from ("## Not in a section", "")
    if rows := [name for name in fields if name not in inner]:
        yield from ("| Setting | Kind | Default | Meaning |", "| --- | --- | --- | --- |")
        for name in rows:
            kind = kind_of(type_of(type(section), name))
            default = _shown(section.as_dict().get(name))
            cells = (f"`{name}`", kind, default, fields[name].description or "")
            yield f"| {' | '.join(_one_line(cell).replace('|', chr(92) + '|') for cell in cells)} |"
        yield ""
    for name in fields:
        if name in inner:
            yield from _tables(getattr(section, name), f"{path}.{name}" if path else name)


def _shown(value: Any) -> str:
    """A default as it would stand in the file; of entries, their names."""
    if isinstance(value, Mapping):
        return "<br>".join(f"`{name}: {_yaml(entry)}`" for name, entry in value.items())
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return "<br>".join(f"`{entry['alarm']}`" for entry in value)
    return f"`{_yaml(value)}`" if value is not None else ""


def _yaml(value: Any) -> str:
    return (
        yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("\n...\n").strip()
    )


def _one_line(text: str) -> str:
    """Text for a table or a paragraph, with links to the pages that it names."""
    return re.sub(r"\bdocs/([\w-]+)\.md\b", r"[\1](\1.md)", " ".join(text.split()))


if __name__ == "__main__":
    sys.stdout.write(settings_page())
