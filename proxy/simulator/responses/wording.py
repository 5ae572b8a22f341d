"""How Responses words an answer as one object. Source: `types/responses` of the openai package, recorded answers."""

from collections.abc import Mapping
from typing import Any

from policies.core.profile import Profile
from proxy.simulator.apis import Asked, Desk, Told
from proxy.simulator.bills import Bill
from proxy.simulator.brains import Answer
from proxy.simulator.diagnoses import openai_diagnosis
from proxy.simulator.openai import is_automatic
from proxy.simulator.prompt import Count, Piece
from proxy.simulator.refusals import Refusal
from proxy.simulator.responses.reasoning import encrypted
from proxy.simulator.seals import Seal


def said(answer: Answer, count: Count) -> tuple[Piece, ...]:
    text = (Piece("messages", "assistant", "text", "", answer.text, count(answer.text)),) if answer.text else ()
    calls = tuple(
        Piece("messages", "assistant", "call", call.id, row := call.name + call.arguments, count(row))
        for call in answer.calls
    )
    return text + calls


def reply(told: Told, desk: Desk) -> Mapping[str, Any]:
    items = output(told, desk)
    remember(told, items, desk)
    return finished(told, items, desk)


def finished(told: Told, items: tuple[dict[str, Any], ...], desk: Desk) -> dict[str, Any]:
    cut = told.answer.stop == "length"
    ending = {
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": list(items),
        "usage": usage(told.bill, told.asked.profile),
    }
    return {**begun(told), **ending, **openai_diagnosis(told.asked, desk.memory)}


def begun(told: Told) -> dict[str, Any]:
    """The object as it stands in `response.created`."""
    body = told.asked.seen.body
    row = {
        "id": f"resp_{told.asked.name}",
        "object": "response",
        "created_at": int(told.now),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": told.asked.model,
        "output": [],
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"),
        "prompt_cache_key": body.get("prompt_cache_key"),
        "reasoning": body.get("reasoning") or {"effort": None, "summary": None},
        "service_tier": "default",
        "store": told.asked.options["store"],
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p", 1.0),
        "truncation": body.get("truncation") or "disabled",
        "usage": None,
        "user": body.get("user"),
        "metadata": body.get("metadata") or {},
    }
    if told.asked.reports or told.asked.profile.binds_reasoning == "drops":
        row["input_transformations"] = list(told.asked.reports)
    return row


def output(told: Told, desk: Desk) -> tuple[dict[str, Any], ...]:
    answer, name, options = told.answer, told.asked.name, told.asked.options
    items: list[dict[str, Any]] = []
    if answer.reasoning:
        summary = [{"type": "summary_text", "text": answer.reasoning}] if options["summary"] else []
        item: dict[str, Any] = {"id": f"rs_{name}", "type": "reasoning", "summary": summary}
        if options["encrypted"]:
            item["encrypted_content"] = _blob(told, desk)
        items.append(item)
    if answer.text:
        part = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
        head = {"id": f"msg_{name}", "type": "message", "role": "assistant", "status": "completed"}
        items.append({**head, "content": [part]})
    for place, call in enumerate(answer.calls):
        head = {"id": f"fc_{name}{place:02}", "type": "function_call", "status": "completed"}
        items.append({**head, "call_id": call.id, "name": call.name, "arguments": call.arguments})
    return tuple(items)


def _blob(told: Told, desk: Desk) -> str:
    seal = Seal(model=told.asked.model, bound=told.asked.options["bound"])
    return encrypted(told.answer.reasoning, seal, desk.seals)


def remember(told: Told, items: tuple[dict[str, Any], ...], desk: Desk) -> None:
    """Stored answers can be continued by id; what reasoning led to is not accepted without it."""
    memory, options, name = desk.memory, told.asked.options, f"resp_{told.asked.name}"
    everything = (*options["items"], *items)
    if desk.connection is not None:
        desk.connection.keep(name, everything)
    if options["store"]:
        memory.items[told.asked.credential, name] = everything
        memory.known |= {(told.asked.credential, item["id"]): item for item in items}
    if not told.answer.reasoning:
        return
    thought = items[0]["id"]
    if options["store"] or desk.connection is not None:
        memory.reasoned[f"{thought} blob"] = _blob(told, desk)
    for item in items[1:]:
        memory.reasoned[item["id"]] = thought


def usage(bill: Bill, profile: Profile) -> dict[str, Any]:
    """`input_tokens` includes what was read and written (provider notes, 2.2)."""
    short, long = bill.input.write, bill.input.write_long
    details: dict[str, Any] = {"cached_tokens": bill.input.read, "cache_write_tokens": short + long}
    if is_automatic(profile):
        details["cache_write_tokens_details"] = {"ttl_30m_tokens": short, "ttl_12h_tokens": long}
    return {
        "input_tokens": bill.input.total,
        "input_tokens_details": details,
        "output_tokens": bill.output,
        "output_tokens_details": {"reasoning_tokens": bill.reasoning},
        "total_tokens": bill.input.total + bill.output,
    }


def counted(asked: Asked) -> Mapping[str, Any]:
    return {"object": "response.input_tokens", "input_tokens": asked.prompt.total}


def too_long(_: int, __: Profile) -> Refusal:
    return Refusal(
        400,
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        param="input",
        code="context_length_exceeded",
    )
