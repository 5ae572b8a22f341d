"""Prints docs/settings.md from the configuration types: every key, its form, its default and what it does.

`python docs/settings_page.py > docs/settings.md`. The words are the types' own docstrings.
"""

import ast
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import msgspec

import policies.breakpoints
import policies.mask
import policies.policy
import policies.routes
import policies.stabilize
import proxy.config.settings

WORDS = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "None": "null"}
UNITS = {"Size": "size, as `5GB`", "Duration": "duration, as `90s`", "DialectName": "name of a dialect"}

HEAD = """# Settings

Generated from the configuration types by `docs/settings_page.py`; a test compares.

Every key of `holdfast.yaml` can also be given as a variable: upper case, `HOLDFAST_` in front, two underscores
between levels (`HOLDFAST_TIMEOUTS__READ=5m`). Flags win over variables, variables over the file, the file over what
is built in. Secrets are never keys of the file: they are `HOLDFAST_ADMIN_TOKEN`, `HOLDFAST_TENANT_KEY` and
`HOLDFAST_ARCHIVE_KEY`, or files of their own. An unknown key is an error that names the nearest valid one.
"""


@dataclass(frozen=True)
class Section:
    """One table of the page."""

    title: str
    lead: str
    struct: type[msgspec.Struct]
    prefix: str = ""


SECTIONS = (
    Section("holdfast.yaml", "", proxy.config.settings.File),
    Section("An upstream", "Keys of `upstreams.NAME`.", proxy.config.settings.UpstreamEntry),
    Section("A route", "Entries of `routes`; the first that matches decides.", policies.routes.Route),
    Section("A policy", "Keys of a policy file, or of `policies.NAME`.", policies.policy.Policy),
    Section("For one tool", "Keys of `per_tool.NAME` in a policy.", policies.policy.ForTool),
)


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for section in SECTIONS:
        lead = f"{section.lead}\n\n" if section.lead else ""
        rows = "\n".join(f"| {' | '.join(row)} |" for row in _rows(section.struct, ""))
        parts.append(
            f"\n## {section.title}\n\n{lead}| key | form | default | meaning |\n| --- | --- | --- | --- |\n{rows}\n"
        )
    return "".join(parts)


def _rows(struct: type[msgspec.Struct], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    forms, meanings = _written(struct)
    for field in msgspec.structs.fields(struct):
        key, default = f"{prefix}{field.encode_name}", field.default
        if isinstance(default, msgspec.Struct):
            yield from _rows(type(default), f"{key}.")
            continue
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        meaning = " ".join(meanings.get(field.name, "").split())
        if _not_in_effect(struct, key):
            meaning = f"{meaning} Not in effect in this version.".strip()
        yield f"`{key}`", forms[field.name], _shown(default), meaning.replace("|", "\\|")


def _not_in_effect(struct: type[msgspec.Struct], key: str) -> bool:
    """Keys that are accepted so that policy files stay valid, and do nothing yet."""
    if not struct.__module__.startswith("policies."):
        return False
    top, tool = key.split(".")[0], f"per_tool.*.{key.split('.')[0]}"
    listed: tuple[str, ...] = policies.policy.NOT_IN_EFFECT
    return bool({key, top, tool} & set(listed))


def _shown(default: Any) -> str:
    if default is msgspec.NODEFAULT:
        return "required"
    if default is None:
        return "null"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, float):
        return f"`{default:g}`" if default < 1e5 else f"`{int(default)}`"
    return f"`{list(default) if isinstance(default, tuple) else default}`"


def _written(struct: type[msgspec.Struct]) -> tuple[dict[str, str], dict[str, str]]:
    """Forms and meanings of a struct's fields, as the source has them."""
    forms: dict[str, str] = {}
    meanings: dict[str, str] = {}
    body = _definition(sys.modules[struct.__module__], struct.__name__).body
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            forms[node.target.id] = _form(node.annotation)
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                meanings[node.target.id] = str(after.value.value)
    return forms, meanings


def _definition(module: ModuleType, name: str) -> ast.ClassDef:
    tree = ast.parse(inspect.getsource(module))
    return next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)


def _form(annotation: ast.expr) -> str:
    match annotation:
        case ast.BinOp(left=left, right=right):
            return f"{_form(left)} or {_form(right)}"
        case ast.Subscript(value=ast.Name("Literal"), slice=options):
            elements = options.elts if isinstance(options, ast.Tuple) else [options]
            return ", ".join(f"`{ast.literal_eval(option)}`" for option in elements)
        case ast.Subscript(value=ast.Name("tuple")):
            return "list"
        case ast.Subscript(value=ast.Name("dict")):
            return "mapping by name"
        case _:
            name = ast.unparse(annotation)
            return WORDS.get(name) or UNITS.get(name) or name


if __name__ == "__main__":
    print(page(), end="")
