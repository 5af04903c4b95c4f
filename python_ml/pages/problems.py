"""What is wrong with definitions, with file and line; and YAML that remembers its lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from python_ml.errors import UsageError


class DefinitionError(UsageError):
    """Definitions of dashboards that contradict themselves, the grid or the marts."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


@dataclass(frozen=True)
class Problem:
    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


class Problems:
    """Collects what is wrong, so that one pass tells all of it."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, path: Path, line: int, message: str) -> None:
        self._found.append(Problem(path, line, message))

    def raise_if_any(self) -> None:
        """Raises: DefinitionError: at least one problem was added."""
        if self._found:
            raise DefinitionError(sorted(self._found, key=lambda it: (str(it.path), it.line)))


class Entry:
    """A mapping in a YAML file; what is not taken from it by `finish` is an unknown key."""

    def __init__(self, path: Path, node: yaml.MappingNode, problems: Problems) -> None:
        self.path = path
        self.line = node.start_mark.line + 1
        self.problems = problems
        self._nodes: dict[str, yaml.Node] = {}
        self._lines: dict[str, int] = {}
        self._taken: set[str] = set()
        for key, value in node.value:
            if key.value in self._nodes:
                self._report(key, f"key {key.value!r} is there twice")
            self._nodes[key.value] = value
            self._lines[key.value] = key.start_mark.line + 1

    def line_of(self, key: str) -> int:
        return self._lines.get(key, self.line)

    def complain(self, key: str, message: str) -> None:
        self.problems.add(self.path, self.line_of(key), message)

    def text(self, key: str, default: str | None = None) -> str:
        value = self._scalar(key, str, default)
        return value if isinstance(value, str) else ""

    def choice(self, key: str, choices: tuple[str, ...], default: str | None = None) -> str:
        value = self.text(key, default)
        if value and value not in choices:
            self.complain(key, f"{key}: {value!r} is none of {', '.join(choices)}")
        return value

    def optional_text(self, key: str) -> str | None:
        return self.text(key) if key in self._nodes else None

    def value(self, key: str, default: Any = None) -> Any:
        """Any YAML value as Python has it."""
        self._taken.add(key)
        return construct(self._nodes[key]) if key in self._nodes else default

    def entry(self, key: str) -> Entry | None:
        self._taken.add(key)
        node = self._nodes.get(key)
        if node is None:
            return None
        if not isinstance(node, yaml.MappingNode):
            self.complain(key, f"{key}: expected a mapping")
            return None
        return Entry(self.path, node, self.problems)

    def entries(self, key: str) -> Iterator[Entry]:
        """The mappings of a list; no list is an empty one."""
        self._taken.add(key)
        node = self._nodes.get(key)
        if node is None:
            return
        if not isinstance(node, yaml.SequenceNode):
            self.complain(key, f"{key}: expected a list")
            return
        for item in node.value:
            if isinstance(item, yaml.MappingNode):
                yield Entry(self.path, item, self.problems)
            else:
                self._report(item, f"{key}: expected a mapping")

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def finish(self) -> None:
        """Every key that nobody asked for is a mistake."""
        for key in self._nodes:
            if key not in self._taken:
                known = ", ".join(sorted(self._taken))
                self.complain(key, f"unknown key {key!r}; known are {known}")

    def _scalar(self, key: str, kind: type, default: Any) -> Any:
        self._taken.add(key)
        if key not in self._nodes:
            if default is None:
                self.problems.add(self.path, self.line, f"{key} is missing")
            return default
        value = construct(self._nodes[key])
        if not isinstance(value, kind):
            self.complain(key, f"{key}: expected {kind.__name__}, got {value!r}")
            return default
        return value

    def _report(self, node: yaml.Node, message: str) -> None:
        self.problems.add(self.path, node.start_mark.line + 1, message)


def construct(node: yaml.Node) -> Any:
    """The value of a node, as `yaml.safe_load` would have it."""
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    finally:
        loader.dispose()


def read_yaml(path: Path, problems: Problems) -> Entry | None:
    """The mapping that a YAML file holds; None, and a problem, when it holds none."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problems.add(path, line, f"not YAML: {error.problem}")
        return None
    except (OSError, UnicodeDecodeError) as error:
        problems.add(path, 1, str(error))
        return None
    if not isinstance(node, yaml.MappingNode):
        problems.add(path, 1, "expected a mapping")
        return None
    return Entry(path, node, problems)
