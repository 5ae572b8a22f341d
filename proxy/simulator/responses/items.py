"""The input of a Responses request, stored items before it included, and the rules between items.

Sources: guides/function-calling and guides/reasoning; the error texts are the API's own.
"""

from proxy.simulator.apis import Call, Memory
from proxy.simulator.nodes import Node, bracketed
from proxy.simulator.openai import invalid_value
from proxy.simulator.refusals import Refusal
from proxy.simulator.responses.fields import ANSWERED, FROM_MODEL, ITEMS, OUTPUTS, ROLES


def items_of(body: Node, call: Call, memory: Memory) -> tuple[Node, ...]:
    """All items that the model sees: those of the chain that `previous_response_id` names come first."""
    stored = _stored(body, call, memory)
    given = body.get("input")
    if given is None:
        if not stored:
            raise Refusal(
                400, 'One of "input" or "previous_response_id" or \'prompt\' must be provided.', param="input"
            )
        return stored
    if isinstance(given.value, str):
        return (*stored, Node({"role": "user", "content": given.value}, given.path))
    items = tuple(_resolved(item, call, memory) for item in given.items())
    if not items and not stored:
        raise Refusal(
            400,
            "Invalid 'input': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            param="input",
            code="empty_array",
        )
    return (*stored, *items)


def _resolved(item: Node, call: Call, memory: Memory) -> Node:
    """An item reference becomes the stored item that it names."""
    if item.word("type") != "item_reference":
        return item
    found = memory.known.get((call.credential, item.need("id").text()))
    if found is None:
        raise missing_item(item)
    return Node(found, item.path)


def _stored(body: Node, call: Call, memory: Memory) -> tuple[Node, ...]:
    before = body.get("previous_response_id")
    if before is None:
        return ()
    recent = call.connection.recall(before.text()) if call.connection is not None else None
    found = recent or memory.items.get((call.credential, before.text()))
    if found is None:
        raise Refusal(
            400,
            f"Previous response with id '{before.text()}' not found.",
            param="previous_response_id",
            code="previous_response_not_found",
        )
    return tuple(Node(item, ("previous_response_id", place)) for place, item in enumerate(found))


def type_of(item: Node) -> str:
    """An item without a type is a message, if it has a role."""
    if item.get("type") is None:
        item.need("role")
        return "message"
    kind = item.need("type")
    if kind.text() not in ITEMS:
        raise invalid_value(kind, ITEMS)
    return kind.text()


def role_of(item: Node) -> str:
    role = item.need("role")
    if role.text() not in ROLES:
        raise invalid_value(role, ROLES)
    return role.text()


def from_model(item: Node) -> bool:
    kind = type_of(item)
    return kind in FROM_MODEL or (kind == "message" and role_of(item) == "assistant")


def check_items(items: tuple[Node, ...], memory: Memory) -> None:
    check_pairs(items)
    _check_reasoning(items, memory)


def check_pairs(items: tuple[Node, ...]) -> None:
    """Every call has its output, every output its call before it."""
    waiting: dict[tuple[str, str], str] = {}
    known: set[tuple[str, str]] = set()
    for item in items:
        kind = type_of(item)
        if kind in ANSWERED:
            key = (ANSWERED[kind], item.need("call_id").text())
            known.add(key)
            waiting[key] = kind
        if kind in OUTPUTS:
            key = (kind, item.need("call_id").text())
            if key not in known:
                names = kind.removesuffix("_output").replace("_", " ")
                raise Refusal(400, f"No tool call found for {names} output with call_id {key[1]}.", param="input")
            waiting.pop(key, None)
    for (_, call_id), kind in waiting.items():
        raise Refusal(400, f"No tool output found for {kind.replace('_', ' ')} {call_id}.", param="input")


def _check_reasoning(items: tuple[Node, ...], memory: Memory) -> None:
    """Reasoning and what it led to are sent back together (guides/reasoning; recorded answers)."""
    present: set[str] = set()
    for place, item in enumerate(items):
        kind, name = type_of(item), item.word("id")
        if kind == "reasoning":
            present.add(name)
            after = items[place + 1] if place + 1 < len(items) else None
            if after is None or not from_model(after):
                raise Refusal(
                    400,
                    f"Item '{name}' of type 'reasoning' was provided without its required following item.",
                    param="input",
                )
        needed = memory.reasoned.get(name)
        if needed is not None and needed not in present:
            raise Refusal(
                400,
                f"Item '{name}' of type '{kind}' was provided without its required 'reasoning' item: '{needed}'.",
                param="input",
            )


def missing_item(item: Node) -> Refusal:
    name = item.word("id")
    return Refusal(
        404,
        f"Item with id '{name}' not found. Items are not persisted when `store` is set to false. Try again with "
        "`store` set to true, or remove this item from your input.",
        param=bracketed(item.path),
    )
