"""The mutants of a Python module: every small fault that its syntax tree offers.

What are only words are left alone: docstrings, annotations, messages of errors and logs, imports;
and so is the strict= of zip, since nothing can be seen of it where two lengths are equal by
construction.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
# Calls whose arguments are words for a person.
_TALK = {"print", "info", "warning", "error", "debug", "exception", "report"}
# Keyword arguments that guard against what does not happen, or say what would follow anyway.
_GUARDS = {"dtype", "encoding", "strict"}
_SYMBOLS: dict[type[ast.AST], str] = {
    **{ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="},
    **{ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in"},
    **{ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%"},
    **{ast.BitOr: "|", ast.BitAnd: "&", ast.And: "and", ast.Or: "or"},
}


@dataclass(frozen=True)
class PythonMutant:
    """One fault: where it is and what it is."""

    path: str
    line: int
    code: str  # the line as it stands in the file
    change: str  # with a number if a line like this offers the same again: "1 to 2 (2)"
    node: int  # its number in the walk of the syntax tree
    position: tuple[str, int]  # what of the node is changed


def mutated_source(root: Path, mutant: object) -> str:
    """The source of a mutant's module with the fault in it."""
    assert isinstance(mutant, PythonMutant)
    tree = ast.parse((root / mutant.path).read_text(encoding="utf-8"))
    twin = next(node for i, node in enumerate(ast.walk(tree)) if i == mutant.node)
    _apply(tree, twin, mutant.position)
    return ast.unparse(ast.fix_missing_locations(tree))


def mutants(root: Path, path: str) -> list[PythonMutant]:
    """All mutants of a module, in the order of its text.

    Args:
        root: folder of the project.
        path: of the module below it.
    """
    text = (root / path).read_text(encoding="utf-8")
    lines = text.splitlines()
    tree = ast.parse(text)
    words = _words(tree)
    found = []
    for number, node in enumerate(ast.walk(tree)):
        if isinstance(node, ast.expr | ast.stmt) and node not in words:
            code = lines[node.lineno - 1].strip()
            for change, position in _changes(node):
                found.append(PythonMutant(path, node.lineno, code, change, number, position))
    found.sort(key=lambda each: (each.line, each.change, each.node, each.position))
    seen: Counter[tuple[str, str]] = Counter()
    for number, each in enumerate(found):
        seen[each.code, each.change] += 1
        if (count := seen[each.code, each.change]) > 1:
            found[number] = replace(each, change=f"{each.change} ({count})")
    return found


def _words(tree: ast.Module) -> set[ast.AST]:  # noqa: PLR0912  a branch a kind of node
    """Nodes that mutants leave alone."""
    skipped: set[ast.AST] = set()

    def skip(node: ast.AST | None) -> None:
        if node is not None:
            skipped.update(ast.walk(node))

    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                skip(first)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            skip(node.returns)
            for argument in ast.walk(node.args):
                if isinstance(argument, ast.arg):
                    skip(argument.annotation)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                skip(decorator)
        if isinstance(node, ast.AnnAssign):
            skip(node.annotation)
            if node.value is None:
                skipped.add(node)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            for argument in (*node.exc.args, *node.exc.keywords):
                skip(argument)
        if isinstance(node, ast.JoinedStr):
            skip(node)
        if isinstance(node, ast.Call) and _name(node.func) == "zip":
            for keyword in node.keywords:
                skip(keyword)
        if _is_talk(node):
            skip(node)
        if isinstance(node, ast.Expr) and _is_talk(node.value):
            skip(node)
        if isinstance(node, ast.If) and _name(node.test) == "TYPE_CHECKING":
            skip(node)
        if isinstance(node, ast.Assign) and any(_name(t) == "__all__" for t in node.targets):
            skip(node)
    return skipped


def _is_talk(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _name(node.func) in _TALK


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _changes(  # noqa: PLR0912  a branch a kind of node
    node: ast.AST,
) -> Iterator[tuple[str, tuple[str, int]]]:
    """What can be changed about a node, and where `_apply` finds it."""
    if isinstance(node, ast.Compare):
        for number, operator in enumerate(node.ops):
            new = _COMPARISONS[type(operator)]
            yield f"{_SYMBOLS[type(operator)]} to {_SYMBOLS[new]}", ("compare", number)
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _OPERATORS:
        new_op = _OPERATORS[type(node.op)]
        yield f"{_SYMBOLS[type(node.op)]} to {_SYMBOLS[new_op]}", ("operator", 0)
    elif isinstance(node, ast.BoolOp):
        other = "or" if isinstance(node.op, ast.And) else "and"
        yield f"{_SYMBOLS[type(node.op)]} to {other}", ("bool", 0)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield f"without {'not' if isinstance(node.op, ast.Not) else '-'}", ("unary", 0)
    elif isinstance(node, ast.Constant):
        yield from _constant_changes(node)
    elif isinstance(node, ast.If | ast.While | ast.IfExp):
        yield "condition negated", ("negate", 0)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Yield):
        if isinstance(node.value, ast.Call):
            yield "statement removed", ("remove", 0)
    elif isinstance(node, ast.Return) and node.value is not None:
        if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield "returns None", ("return", 0)
    elif isinstance(node, ast.Raise):
        yield "statement removed", ("remove", 0)
    elif isinstance(node, ast.Continue):
        yield "continue to break", ("break", 0)
    if isinstance(node, ast.Call):
        for number, keyword in enumerate(node.keywords):
            if keyword.arg is not None and keyword.arg not in _GUARDS:
                yield f"without {keyword.arg}=", ("keyword", number)


def _constant_changes(node: ast.Constant) -> Iterator[tuple[str, tuple[str, int]]]:
    value = node.value
    if isinstance(value, bool):
        yield f"{value} to {not value}", ("flip", 0)
    elif isinstance(value, int | float):
        yield f"{value} to {_other_number(value)}", ("number", 0)
    elif isinstance(value, str) and value and " " not in value:
        yield f"{value!r} to 'XX…'", ("text", 0)


def _other_number(value: float) -> float:
    return value + 1 if isinstance(value, int) else value * 2 or 1.0


def _apply(  # noqa: PLR0912  a branch a kind of change
    tree: ast.Module, node: ast.AST, position: tuple[str, int]
) -> None:
    """Make the change, in place."""
    kind, number = position
    if kind == "compare":
        assert isinstance(node, ast.Compare)
        node.ops[number] = _COMPARISONS[type(node.ops[number])]()
    elif kind == "operator":
        assert isinstance(node, ast.BinOp | ast.AugAssign)
        node.op = _OPERATORS[type(node.op)]()
    elif kind == "bool":
        assert isinstance(node, ast.BoolOp)
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif kind == "negate":
        assert isinstance(node, ast.If | ast.While | ast.IfExp)
        node.test = ast.UnaryOp(ast.Not(), node.test)
    elif kind in ("flip", "number", "text"):
        assert isinstance(node, ast.Constant)
        if kind == "flip":
            node.value = not node.value
        elif kind == "number":
            assert isinstance(node.value, int | float)
            node.value = _other_number(node.value)
        else:
            assert isinstance(node.value, str)
            node.value = f"XX{node.value}"
    elif kind == "return":
        assert isinstance(node, ast.Return)
        node.value = ast.Constant(None)
    elif kind == "keyword":
        assert isinstance(node, ast.Call)
        del node.keywords[number]
    else:
        assert isinstance(node, ast.UnaryOp | ast.stmt)
        new: ast.AST = ast.Pass()
        if isinstance(node, ast.UnaryOp):
            new = node.operand
        elif kind == "break":
            new = ast.Break()
        _replace(tree, node, new)


def _replace(tree: ast.Module, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, field, new)
                return
            if isinstance(value, list) and any(entry is old for entry in value):
                value[[entry is old for entry in value].index(True)] = new
                return
