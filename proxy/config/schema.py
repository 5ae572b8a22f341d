"""JSON Schema of a policy file, for editors: made from the structs that read it, so the two cannot differ.

Rules of this room: descriptions are the docstrings of structs and fields, limits come from `bounds`.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any

import msgspec

from policies.policy import NOT_IN_EFFECT, Policy
from proxy.config.bounds import BOUNDS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
WITHOUT_EFFECT = "Not in effect in this version."


def policy_schema() -> dict[str, Any]:
    """The schema, ready for `json.dumps`."""
    schema = msgspec.json.schema(Policy)
    for struct in _structs(msgspec.inspect.type_info(Policy)):
        _complete(schema["$defs"][struct.__name__]["properties"], struct)
    _mark_without_effect(schema, schema["$defs"]["Policy"], "")
    return {"$schema": DIALECT, "title": "Holdfast policy", **schema}


def _structs(kind: msgspec.inspect.Type) -> Iterator[type]:
    """Every struct that a type is made of, itself included."""
    match kind:
        case msgspec.inspect.StructType():
            yield kind.cls
            for field in kind.fields:
                yield from _structs(field.type)
        case msgspec.inspect.DictType():
            yield from _structs(kind.value_type)


def _complete(properties: dict[str, Any], struct: type) -> None:
    """Adds descriptions and limits to the properties of one struct."""
    docs = field_docs(struct)
    for name, keywords in properties.items():
        bound = BOUNDS.get((struct.__name__, name))
        if bound:
            # for a setting that may be null the limits belong to the number alone
            keywords.get("anyOf", [keywords])[0].update(bound.schema())
        if name in docs:
            keywords["description"] = docs[name]


def _mark_without_effect(schema: dict[str, Any], struct: dict[str, Any], prefix: str) -> None:
    for name, keywords in struct["properties"].items():
        key = prefix + name
        if any(fnmatchcase(key, pattern) for pattern in NOT_IN_EFFECT):
            keywords["description"] = f"{keywords.get('description', '')} {WITHOUT_EFFECT}".strip()
            continue
        star = ".*." if "additionalProperties" in keywords else "."
        reference = (keywords.get("additionalProperties") or keywords).get("$ref", "")
        if reference:
            _mark_without_effect(schema, schema["$defs"][reference.rpartition("/")[2]], key + star)


def field_docs(struct: type) -> dict[str, str]:
    """The text that stands below each field in the source of a struct."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(struct))).body
    assert isinstance(definition, ast.ClassDef)
    return {
        field.target.id: " ".join(doc.value.value.split())
        for field, doc in pairwise(definition.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(doc, ast.Expr) and isinstance(doc.value, ast.Constant) and isinstance(doc.value.value, str)
    }
