"""What the regularizers are called and which parameters they take, read from their sources without running them: a
plan is made without torch. Both stand only in the `@register(...)` of each file in backbones/regularizers."""

import ast
import functools
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parents[2] / "backbones/regularizers"


class Declared(NamedTuple):
    """The arguments of one `@register`: parameter to its JSON schema or its definition's name; `mixes`; `residual`;
    `masks`. Of its class, the docstring and the methods, which tell where it acts."""

    name: str
    parameters: dict[str, str | dict[str, Any]]
    mixes: bool = False
    residual: bool = False
    masks: bool = False
    doc: str = ""
    methods: tuple[str, ...] = ()


def declared() -> dict[str, Declared]:
    """All regularizers by name. ValueError (of `ast`) if the arguments of a `@register` are not written out."""
    sources = [file.read_text(encoding="utf-8") for file in sorted(FOLDER.glob("*.py"))]
    return {each.name: each for source in sources for each in _declarations(source)}


@functools.cache  # a config asks for each of its rows
def _declarations(source: str) -> tuple[Declared, ...]:
    found = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            methods = tuple(part.name for part in node.body if isinstance(part, ast.FunctionDef))
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "register":
                    named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
                    one = Declared(*map(ast.literal_eval, call.args), **named)
                    found.append(one._replace(doc=ast.get_docstring(node) or "", methods=methods))
    return tuple(found)


def schema() -> dict[str, Any]:
    """The JSON schema of each regularizer's parameters: all but those with a `default` are required, and `probability`
    is one of each."""
    return {name: _schema({**each.parameters, "probability": "fraction"}) for name, each in declared().items()}


def _schema(parameters: dict[str, str | dict[str, Any]]) -> dict[str, Any]:
    names = {key: {"$ref": f"#/$defs/{name}"} for key, name in parameters.items() if isinstance(name, str)}
    return {
        "type": "object",
        "required": [key for key, kind in parameters.items() if isinstance(kind, str) or "default" not in kind],
        "additionalProperties": False,
        "properties": {**parameters, **names},
    }
