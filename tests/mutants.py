"""Mutants of a module: its syntax tree with one node changed, each a small fault that a test should notice."""

import ast
import collections
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

OPERATORS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,),
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div,), ast.Div: (ast.Mult,), ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,), ast.Pow: (ast.Mult,), ast.LShift: (ast.RShift,), ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,), ast.BitXor: (ast.BitAnd,), ast.And: (ast.Or,), ast.Or: (ast.And,),
}  # fmt: skip
SWAPS = "min/max amin/amax minimum/maximum argmin/argmax any/all sum/mean sum/amax zeros/ones ones_like/zeros_like"
NAMES: dict[str, list[str]] = collections.defaultdict(
    list
)  # what an attribute or a function of this name is swapped for
for one, other in (swap.split("/") for swap in (SWAPS + " log1p/log expm1/exp ceil/floor triu/tril").split()):
    NAMES[one].append(other)
    NAMES[other].append(one)
METHODS = {
    "sqrt",
    "rsqrt_",
    "square",
    "abs",
    "neg_",
    "clamp",
    "clamp_",
    "contiguous",
    "triu",
    "exp_",
    "log_",
    "log1p",
    "sort",
    "double",
}


@dataclass(frozen=True)
class Mutant:
    """One changed node: which, how, where, and the lines of its statement (none outside functions)."""

    node: int
    change: int
    line: int
    what: str
    lines: range


def is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What a node may become: pairs of a description and another node."""

    def variant(**fields: Any) -> Any:
        other = copy.deepcopy(node)
        for name, value in fields.items():
            setattr(other, name, value)
        return other

    match node:
        case ast.Compare():
            for i, op in enumerate(node.ops):
                for swapped in OPERATORS.get(type(op), ()):
                    yield swapped.__name__, variant(ops=[*node.ops[:i], swapped(), *node.ops[i + 1 :]])
        case ast.BinOp() | ast.AugAssign() | ast.BoolOp():
            for swapped in OPERATORS.get(type(node.op), ()):
                yield swapped.__name__, variant(op=swapped())
        case ast.UnaryOp() if not isinstance(node.operand, ast.Constant):
            yield f"{type(node.op).__name__} removed", node.operand
        case ast.Constant(value=bool()):
            yield str(not node.value), variant(value=not node.value)
        case ast.Constant(value=int() | float() as number):
            larger = number + 1 if number + 1 != number else number * 1e3
            yield repr(larger), variant(value=larger)
        case ast.Constant(value=str() as text):
            yield "other string", variant(value=f"XX{text}")
        case ast.If() | ast.While() | ast.IfExp() if not isinstance(node.test, ast.Compare):
            yield "condition negated", variant(test=ast.UnaryOp(ast.Not(), node.test))
        case ast.Slice():
            yield from ((f"without {end}", variant(**{end: None})) for end in ("lower", "upper") if getattr(node, end))
        case ast.Return(value=ast.expr() as value) if not is_none(value):
            yield "return None", variant(value=None)
        case ast.Assign(targets=[ast.Name()], value=value) | ast.AnnAssign(value=value) if value and not is_none(value):
            yield "= None", variant(value=ast.Constant(None))
        case ast.Continue() | ast.Break():
            yield "continue/break", ast.Break() if isinstance(node, ast.Continue) else ast.Continue()
        case ast.Attribute():
            yield from ((name, variant(attr=name)) for name in NAMES.get(node.attr, ()))
            if node.attr in ("T", "mT"):
                yield f".{node.attr} dropped", node.value
        case ast.Name() if node.id in NAMES and isinstance(node.ctx, ast.Load):
            yield from ((name, variant(id=name)) for name in NAMES[node.id])
        case ast.Call():
            if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
                yield f".{node.func.attr}() dropped", node.func.value
            for i, keyword in enumerate(node.keywords):
                if keyword.arg in ("device", "strict"):  # there is one device, and the lengths agree
                    continue
                yield f"without {keyword.arg}=", variant(keywords=node.keywords[:i] + node.keywords[i + 1 :])
            if len(node.args) > 1:
                yield "without last argument", variant(args=node.args[:-1])
        case _:
            pass
    if isinstance(node, (ast.Expr, ast.AugAssign, ast.Raise, ast.Assign)) and not (
        isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    ):
        yield "deleted", ast.Pass()


def sites(tree: ast.Module) -> list[tuple[ast.AST, str, int, range]]:
    """Nodes that may change: parent, field, position in the field (or −1), lines of the statement in a function."""
    found: list[tuple[ast.AST, str, int, range]] = []

    def visit(parent: ast.AST, lines: range) -> None:
        for field, value in ast.iter_fields(parent):
            if field in ("annotation", "returns", "decorator_list"):
                continue
            for position, node in enumerate(value) if isinstance(value, list) else [(-1, value)]:
                is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
                if not isinstance(node, ast.AST) or is_text or isinstance(node, (ast.JoinedStr, ast.Import)):
                    continue
                inside = lines
                if isinstance(node, ast.stmt) and (lines or isinstance(parent, ast.FunctionDef)):
                    body = getattr(node, "body", None)
                    inside = range(node.lineno, body[0].lineno if body else (node.end_lineno or node.lineno) + 1)
                found.append((parent, field, position, inside))
                if not isinstance(node, ast.Raise) and not ast.unparse(node).startswith("Literal["):  # texts and types
                    visit(node, inside)

    visit(tree, range(0))
    return found


def at(site: tuple[ast.AST, str, int, range]) -> Any:
    parent, field, position, _ = site
    value = getattr(parent, field)
    return value if position < 0 else value[position]


def mutants(source: str) -> list[Mutant]:
    """All mutants of a module."""
    result = []
    line = 0
    for index, site in enumerate(sites(ast.parse(source))):
        line = getattr(at(site), "lineno", line)
        for number, (what, _) in enumerate(changes(at(site))):
            result.append(Mutant(index, number, line, f"{ast.unparse(at(site))[:60]} → {what}", site[3]))
    return result


def mutated(source: str, mutant: Mutant) -> ast.Module:
    """The module with the mutant's node changed."""
    tree = ast.parse(source)
    site = sites(tree)[mutant.node]
    parent, field, position, _ = site
    _, node = list(changes(at(site)))[mutant.change]
    if position < 0:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[position] = node
    return ast.fix_missing_locations(tree)
