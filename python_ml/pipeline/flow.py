"""Steps in order: what each needs and makes is its signature, and this module knows none of them.

A step is a function `(context, needs…) -> result`. Its parameters after the first are results of
steps before it, found by their types; its result is kept under its own type. So a plan can be
checked without being run, a finished step can be loaded in place of being repeated, and whoever
reads a step sees all that flows into it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    Protocol,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from python_ml.errors import SpanishGasError
from python_ml.interrupts import raise_if_interrupted

if TYPE_CHECKING:
    from python_ml.pipeline.workspace import Run
    from python_ml.settings import Settings

Value = TypeVar("Value")


class StepResult(Protocol):
    """What a step hands on: a dataclass of values that can be written down and read back.

    A class attribute `document_name` has it shown under that name in the run's document.
    """

    @property
    def row_count(self) -> int | None:
        """Rows that the step handled, where it handles rows."""


class Verdict(Protocol):
    """The result of a gate."""

    def require_scoring_model(self) -> None:
        """Raise the error that ends the run, if it is to end."""


class Results:
    """What has been handed on so far: one value of each type, in the order of the steps."""

    def __init__(self, values: Iterable[object] = ()) -> None:
        self._values: dict[type, object] = {}
        for value in values:
            self.put(value)

    def put(self, value: object) -> None:
        """Keep a value, in the place of an earlier one of its type."""
        self._values[type(value)] = value

    def get(self, kind: type[Value]) -> Value | None:
        """The value of a type, if there is one."""
        value = self._values.get(kind)
        return value if isinstance(value, kind) else None

    def require(self, kind: type[Value]) -> Value:
        """The value of a type.

        Raises:
            SpanishGasError: no step has made it.
        """
        if (value := self.get(kind)) is None:
            raise SpanishGasError(f"no step before has made a {kind.__name__}")
        return value

    def __iter__(self) -> Iterator[object]:
        return iter(self._values.values())

    def as_dict(self) -> dict[str, Any]:
        """The results that are shown, as JSON-able values by their names."""
        return {
            value.document_name: value.as_dict()
            for value in self
            if hasattr(value, "document_name") and hasattr(value, "as_dict")
        }


@dataclass(frozen=True)
class Need:
    """One input of a step: a value of one of these types, the first that is there."""

    parameter: str
    kinds: tuple[type, ...]
    is_optional: bool


@dataclass(frozen=True)
class Step:
    """A step of a plan.

    Attributes:
        name: as people see it.
        place: `module:function`, imported when the step begins: some take seconds to import.
        is_gate: its result may end the run: `require_scoring_model` of it decides.
    """

    name: str
    place: str
    is_gate: bool = False

    @property
    def module(self) -> str:
        return self.place.partition(":")[0]

    @cached_property
    def function(self) -> Callable[..., StepResult]:
        work: Callable[..., StepResult] = getattr(
            import_module(self.module), self.place.partition(":")[2]
        )
        return work

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return get_type_hints(self.function)

    @property
    def makes(self) -> type:
        """Type of the result."""
        kind: type = self._hints["return"]
        return kind

    @property
    def needs(self) -> list[Need]:
        """Inputs after the context, in the order of the parameters."""
        named = [(name, kind) for name, kind in self._hints.items() if name != "return"]
        return [_need(name, kind) for name, kind in named[1:]]

    def inputs(self, results: Results) -> dict[str, object]:
        """The step's arguments by name, out of what has been handed on.

        Raises:
            SpanishGasError: an input that the step cannot do without is not there.
        """
        found: dict[str, object] = {}
        for need in self.needs:
            there = (value for kind in need.kinds if (value := results.get(kind)) is not None)
            found[need.parameter] = next(there, None)
            if found[need.parameter] is None and not need.is_optional:
                wanted = " or ".join(kind.__name__ for kind in need.kinds)
                raise SpanishGasError(f"step {self.name} needs a {wanted}, which no step has made")
        return found


def _need(parameter: str, hint: Any) -> Need:
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kinds = tuple(kind for kind in options if kind is not NoneType)
    return Need(parameter, kinds, is_optional=NoneType in options)


def take(run: Run, step: Step, settings: Settings | None = None) -> StepResult:
    """Take one step: timed, shown and recorded; its result is kept in the run.

    Args:
        settings: of this step alone, where they are not the run's.

    Raises:
        SpanishGasError: what the step raises, or an input is missing.
        KeyboardInterrupt: a person interrupted the run, whatever became of it in the step before.
    """
    raise_if_interrupted()
    with run.step(step.name) as (entry, report):
        context = replace(run.context, report=report, settings=settings or run.settings)
        result = step.function(context, **step.inputs(run.results))
        run.results.put(result)
        entry.rows = result.row_count
        if step.is_gate:
            cast(Verdict, result).require_scoring_model()
    return result


def take_all(run: Run, plan: Sequence[Step]) -> None:
    """Take the steps of a plan in order."""
    for step in plan:
        take(run, step)


def unmet_needs(plan: Sequence[Step], given: Iterable[type] = ()) -> Mapping[str, list[str]]:
    """By step, the inputs that no step before it makes: none in a plan that can be run.

    Args:
        given: types of what is there before the first step.
    """
    made, unmet = set(given), {}
    for step in plan:
        missing = [
            need.parameter
            for need in step.needs
            if not need.is_optional and not made & set(need.kinds)
        ]
        if missing:
            unmet[step.name] = missing
        made.add(step.makes)
    return unmet
