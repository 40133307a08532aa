"""What a ``.pt2`` file may hold before torch is let near it.

``torch.export.load`` unpickles what it finds, evaluates expressions, turns names into Python source, and loads compiled
code. So every record is looked at first, through the same reader that torch uses: tensors and plain values only, names
that are names, arithmetic that is arithmetic, operators that compute. Whatever else is in a file, it is refused.
"""

from __future__ import annotations

import ast
import io
import math
import re
from typing import TYPE_CHECKING, Any

import torch

from netdissect.errors import ModelFileError
from netdissect.io.json_files import InvalidJSONError, parse_json
from netdissect.networks import budgets

if TYPE_CHECKING:
    from collections.abc import Callable

_TEXT = re.compile(r"[\w.:/@+\- ]*")
_NAME = re.compile(r"[\w.]*")
_LINE = re.compile(r'[^"\\\x00-\x1f]*')
#: Parts that are never evaluated: words that torch quotes, its version, and guards, which are forgotten at once.
_FREE = ("as_string", "as_strings", "torch_version", "guards_code")
_SYMBOL = re.compile(r"[suzf]\d*|true|false|oo|zoo|int_oo|None|True|False")
_OPERATORS = re.compile(
    r"torch\.ops\.(aten|prims|torchvision|quantized|quantized_decomposed)\.\w+(\.\w+)?"
    r"|torch\.ops\.higher_order\.(wrap_with_set_grad_enabled|wrap_with_autocast|cond|while_loop|map_impl)"
    r"|torch\._C\._set_grad_enabled|torch\.amp\.autocast_mode\._(enter|exit)_autocast"
    r"|torch\.(sym_\w+|_sym_sqrt)|math\.\w+"
    r"|_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|neg|pos|pow|eq|ne|lt|le|gt|ge|and_|or_|xor|not_|abs|"
    r"lshift|rshift|index)"
)
#: Operators that touch files.
_REFUSED = re.compile(r"torch\.ops\.aten\.(from_file|save|load|set_data)\b.*")
#: What expressions of sizes are made of, in sympy's and torch's words.
_CALLS = frozenset(
    [
        "Symbol",
        "Integer",
        "Rational",
        "Float",
        "Add",
        "Mul",
        "Pow",
        "Max",
        "Min",
        "Abs",
        "Mod",
        "Eq",
        "Ne",
        "Equality",
        "Unequality",
        "Lt",
        "Le",
        "Gt",
        "Ge",
        "Not",
        "And",
        "Or",
        "Xor",
        "StrictLessThan",
        "LessThan",
        "StrictGreaterThan",
        "GreaterThan",
        "BooleanTrue",
        "BooleanFalse",
        "Piecewise",
        "ExprCondPair",
        "floor",
        "ceiling",
        "FloorDiv",
        "ModularIndexing",
        "Where",
        "PythonMod",
        "CleanDiv",
        "CeilToInt",
        "FloorToInt",
        "CeilDiv",
        "LShift",
        "RShift",
        "PowByNatural",
        "FloatPow",
        "FloatTrueDiv",
        "IntTrueDiv",
        "TruncToFloat",
        "TruncToInt",
        "RoundToInt",
        "RoundDecimal",
        "ToFloat",
        "Identity",
        "IsNonOverlappingAndDenseIndicator",
    ]
)
_POWERS = frozenset({"Pow", "PowByNatural", "FloatPow", "LShift", "RShift"})
_LARGEST_POWER = 4096
#: Letters of an expression; those that torch writes have hundreds.
_LONGEST = 20_000
_NODES = (
    ast.Expression, ast.Call, ast.Name, ast.Constant, ast.keyword, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Load,
    ast.operator, ast.unaryop, ast.cmpop, ast.Tuple,
)  # fmt: skip


def screened(path: str, data: bytes) -> None:
    """See that a file holds nothing but a program of tensors.

    Args:
        path: where it lies, for the message.
        data: its bytes.

    Raises:
        ModelFileError: if it is damaged, of another kind, or holds anything that would run when it is opened.
    """
    budgets.check_archive_size(path, io.BytesIO(data))
    records = _records(path, data)
    models = [name for name in records if name.startswith("models/")]
    if models != ["models/model.json"]:
        raise ModelFileError(f"{path}: expected one program in a file of torch.export.save, got {len(models)}")
    for name, read in records.items():
        if name.startswith("data/aotinductor"):
            raise ModelFileError(
                f"{path} holds compiled code, which is not run: save the program with torch.export.save"
            )
        if name.startswith(("data/weights/", "data/constants/")) and name.endswith("config.json"):
            _see_payload(path, name, _json(path, read()), records)
        elif name.startswith(("data/weights/", "data/constants/", "data/sample_inputs/")) and name.endswith(".pt"):
            _see_tensors(path, name, read())
    _see_program(path, _json(path, records["models/model.json"]()))


def _records(path: str, data: bytes) -> dict[str, Callable[[], bytes]]:
    """Return the records of an archive, read by torch's own reader, so that both see the same."""
    told = f"{path}: expected a file of torch.export.save"
    if b"serialized_exported_program.json" in data[:4096]:
        raise ModelFileError(f"{told} of torch 2.8 or later, got an older one: export the network again")
    try:
        reader = torch._C.PyTorchFileReader(io.BytesIO(data))  # noqa: SLF001 - what torch.export.load reads with
        names = reader.get_all_records()
    except (RuntimeError, ValueError) as error:
        raise ModelFileError(f"{told}, got one that is damaged or of another kind") from error
    if "archive_format" not in names or len(set(names)) != len(names):
        raise ModelFileError(f"{told}, got another kind of archive")

    def record(name: str) -> Callable[[], bytes]:
        def read() -> bytes:
            try:
                found: bytes = reader.get_record(name)
            except RuntimeError as error:
                raise ModelFileError(f"{told}, got one whose part {name!r} is damaged") from error
            return found

        return read

    return {name: record(name) for name in names}


def _json(path: str, data: bytes) -> Any:
    try:
        return parse_json(data)
    except InvalidJSONError as error:
        raise ModelFileError(f"{path}: its program is damaged ({error})") from error


def _see_payload(path: str, name: str, config: Any, records: dict[str, Callable[[], bytes]]) -> None:
    """See that weights and constants are tensors, and not objects that Python would have to make."""
    folder = name.rpartition("/")[0]
    entries = config.get("config") if isinstance(config, dict) else None
    if not isinstance(entries, dict):
        raise ModelFileError(f"{path}: its part {name!r} is damaged")
    for key, entry in entries.items():
        file = str(entry.get("path_name")) if isinstance(entry, dict) else ""
        if not file.startswith(("weight_", "tensor_")):
            raise ModelFileError(f"{path} holds an object {key!r} ({file}), and opening it would run its code: refused")
        if entry.get("use_pickle"):
            if f"{folder}/{file}" not in records:
                raise ModelFileError(f"{path}: its part {file!r} is missing: truncated?")
            _see_tensors(path, file, records[f"{folder}/{file}"]())


def _see_tensors(path: str, name: str, data: bytes) -> None:
    """See that something pickled is made of tensors and plain values alone."""
    if not data:
        return
    budgets.check_archive_size(f"{path}: its part {name!r}", io.BytesIO(data))  # it is an archive inside the archive
    try:
        torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelFileError(
            f"{path}: its part {name!r} holds more than tensors, and opening it would run its code: refused"
        ) from error


def _see_program(path: str, program: Any, key: str = "") -> None:
    """See that the names, expressions and operators of a program are what they should be."""
    if isinstance(program, dict):
        for name, value in program.items():
            if _TEXT.fullmatch(name) is None:
                raise _refused(path, "name", name)
            if name == "metadata":
                _see_modules(path, value)
            elif name not in _FREE:
                _see_program(path, value, name)
    elif isinstance(program, list):
        for value in program:
            _see_program(path, value, key)
    elif isinstance(program, str):
        _see_text(path, program, key)


def _see_modules(path: str, notes: Any) -> None:
    """See that the names of modules among a node's notes could not end a line of Python."""
    stack = str(notes.get("nn_module_stack", "")) if isinstance(notes, dict) else ""
    if _LINE.fullmatch(stack) is None:
        raise _refused(path, "module", stack)


def _see_text(path: str, text: str, key: str) -> None:
    if key == "expr_str":
        if not is_arithmetic(text):
            raise _refused(path, "expression", text)
    elif key in ("target", "as_operator"):
        if _OPERATORS.fullmatch(text) is None or _REFUSED.fullmatch(text) is not None:
            raise ModelFileError(
                f"{path} calls {text[:80]!r}, which is none of torch's own operators that compute: refused"
            )
    elif key in ("in_spec", "out_spec"):
        if text and not is_plain_tree(text):
            raise _refused(path, "structure", text)
    elif (_NAME if key in ("name", "as_name") else _TEXT).fullmatch(text) is None:
        raise _refused(path, "name", text)


def _refused(path: str, what: str, text: str) -> ModelFileError:
    return ModelFileError(f"{path}: its {what} {text[:60]!r} is none that torch writes: refused")


def is_arithmetic(text: str) -> bool:
    """Tell whether an expression is arithmetic with sizes and nothing else: torch will evaluate it as Python.

    >>> is_arithmetic("Mul(Integer(2), Symbol('s77', positive=True, integer=True))"), is_arithmetic("2*s0 + 1")
    (True, True)
    >>> is_arithmetic("9**9**9"), is_arithmetic("Pow(Integer(9), Integer(999999999))"), is_arithmetic("s0**2/4")
    (False, False, True)
    >>> is_arithmetic("__import__('os').system('id')"), is_arithmetic("s0.__class__"), is_arithmetic("exec('1')")
    (False, False, False)
    """
    if len(text) > _LONGEST:
        return False
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if not isinstance(node, _NODES):
            return False
        if isinstance(node, ast.Call) and not isinstance(node.func, ast.Name):
            return False
        if isinstance(node, ast.Name) and not _is_known(node.id, called=id(node) in called):
            return False
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not re.fullmatch(r"\w+", node.value):
            return False
    return _growth(tree) <= _LARGEST_POWER


def _growth(node: ast.AST) -> int:
    """Return the largest power to which anything in an expression is raised, powers of powers multiplied.

    Arithmetic with numbers is done when torch reads it, and ``9**9**9`` has more digits than there is memory for.
    """
    inner = max((_growth(child) for child in ast.iter_child_nodes(node)), default=1)
    exponent = _exponent(node)
    if exponent is None:
        return inner
    parts = list(ast.walk(exponent))
    if any(_exponent(part) is not None for part in parts):
        return _LARGEST_POWER + 1
    numbers = [part.value for part in parts if isinstance(part, ast.Constant)]
    own = [math.ceil(abs(number)) for number in numbers if isinstance(number, (int, float)) and math.isfinite(number)]
    return inner * math.prod(max(1, number) for number in own)


def _exponent(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Pow, ast.LShift)):
        return node.right
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _POWERS:
        return ast.Tuple(node.args[1:], ast.Load())
    return None


def _is_known(name: str, *, called: bool) -> bool:
    return name in _CALLS if called else _SYMBOL.fullmatch(name) is not None


def is_plain_tree(text: str) -> bool:
    """Tell whether a description of nested arguments would import nothing while torch reads it."""
    try:
        _, tree = parse_json(text)
        pending = [tree]
        while pending:
            node = pending.pop()
            if node.get("context") not in (None, ""):
                context = parse_json(node["context"])
                if _imports(context):
                    return False
            pending += node["children_spec"]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False
    return True


def _imports(context: Any) -> bool:
    if isinstance(context, dict):
        return bool({"__enum__", "default_factory_module"} & set(context)) or any(map(_imports, context.values()))
    return isinstance(context, list) and any(map(_imports, context))
