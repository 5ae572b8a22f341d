"""Describes the endpoints of an SDK as OpenAPI, from the SDK's own source: its vendor publishes no description.

A program of its own, run with the interpreter that has the SDK. Paths, methods and the types of answers are read
from the calls in its `resources`; what a request may hold is not described, so a mock server that follows this
refuses unknown paths and methods only, and gives answers that the SDK can read. Of two calls with one path, as a
resource and its beta form have, the first is described.
"""

import ast
import importlib
import json
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError

VERBS = {"_get": "get", "_post": "post", "_put": "put", "_patch": "patch", "_delete": "delete", "_get_api_list": "get"}
Endpoint = tuple[str, str]
"""Path and verb."""


def describe(package: str) -> dict[str, Any]:
    answers: dict[Endpoint, TypeAdapter[Any] | None] = {}
    for endpoint, answer in _calls(package):
        answers.setdefault(endpoint, _adapter(answer))
    readable = [(endpoint, "validation", adapter) for endpoint, adapter in answers.items() if adapter]
    schemas, shared = TypeAdapter.json_schemas(readable, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]  # its list is invariant
    paths: dict[str, dict[str, Any]] = {}
    for path, verb in answers:
        paths.setdefault(path, {})[verb] = _operation(path, schemas.get(((path, verb), "validation")))
    components = {"schemas": shared.get("$defs", {})}
    return {"openapi": "3.1.0", "info": {"title": package, "version": "1"}, "paths": paths, "components": components}


def _operation(path: str, schema: Any) -> dict[str, Any]:
    names = re.findall(r"{(\w+)}", path)
    content = {"content": {"application/json": {"schema": schema}}} if schema else {}
    return {
        "parameters": [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names],
        "requestBody": {"content": {kind: {"schema": {}} for kind in ("application/json", "multipart/form-data")}},
        "responses": {"200": {"description": "as the SDK reads it", **content}},
    }


def _adapter(answer: Any) -> TypeAdapter[Any] | None:
    """None for bytes and for nothing."""
    try:
        return None if answer is type(None) else TypeAdapter(answer)
    except PydanticSchemaGenerationError:
        return None


def _calls(package: str) -> Iterator[tuple[Endpoint, Any]]:
    """Of the SDK's HTTP methods with a path that is written out, in the order of the source."""
    resources = importlib.import_module(f"{package}.resources")
    for info in pkgutil.walk_packages(resources.__path__, f"{resources.__name__}."):
        module = importlib.import_module(info.name)
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in VERBS:
                yield from _call(module, node, VERBS[node.func.attr])


def _call(module: ModuleType, call: ast.Call, verb: str) -> Iterator[tuple[Endpoint, Any]]:
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    answer, method = named.get("page") or named.get("cast_to"), named.get("method")
    if answer is not None and call.args and (path := _path(call.args[0])):
        written = method.value if isinstance(method, ast.Constant) else verb
        yield (path, str(written)), eval(ast.unparse(answer), vars(module))


def _path(node: ast.expr) -> str:
    """Its template, or nothing where it is computed."""
    match node:
        case ast.Constant(value=str(path)):
            return path
        case ast.JoinedStr(values=parts):
            return "".join(_path(part) for part in parts)
        case ast.FormattedValue(value=ast.Name(id=name)):
            return f"{{{name}}}"
        case ast.Call(func=ast.Name(id="path_template"), args=[template, *_]):
            return _path(template)
    return ""


if __name__ == "__main__":
    print(json.dumps(describe(sys.argv[1])))
