"""The report as people and programs read it."""

import json

import pytest
from msgspec.structs import replace

from proxy.dialects.definitions import Definition
from proxy.profiles import FALLBACK
from proxy.toolbox.report import document, shown, text
from proxy.toolbox.tally import Session, toolsets

from .building import request, session, tool

READ, VIEW = tool("read_file"), tool("view_file", 4)
PAIR = session(request(READ, VIEW), request(READ, VIEW), calls=(("read_file", 1),))


def said(*sessions: Session) -> list[str]:
    return text(toolsets(sessions)).splitlines()


def row(name: str, *sessions: Session) -> list[str]:
    return next(line.split(maxsplit=6) for line in said(*sessions) if line.startswith(f"{name} "))


def test_a_tool_is_a_line_with_its_size_its_calls_and_its_cost() -> None:
    assert said(PAIR)[0] == "dear: 2 tools, 1 session, 2 requests"
    assert row("read_file", PAIR) == ["read_file", "10", "10.0%", "1", "1/2", "$0.2100", "alike"]
    assert row("view_file", PAIR) == ["view_file", "4", "4.0%", "0", "-", "$0.0840", "unused, alike"]


def test_what_is_unused_is_summed_up_with_what_can_be_done() -> None:
    lines = " ".join(said(PAIR))
    assert "1 of 2 tools never called in what was recorded: about 4 tokens in each request, 4.0% of the head" in lines
    assert "$0.0840 a session (estimated)" in lines
    assert "Leave out what is not needed before a session begins" in lines and "paid for anew" in lines


def test_where_all_is_used_nothing_is_advised() -> None:
    lines = " ".join(said(session(request(READ), calls=(("read_file", 1),))))
    assert "Every tool whose calls can be seen was called." in lines and "Leave out" not in lines


def test_each_remark_is_explained_below_the_table() -> None:
    vague = Definition("go", 5, "Go.", parameters=2, undescribed=2)
    lines = said(session(request(READ, VIEW, vague), request(replace(READ, tokens=11)), calls=(("gone", 1),)))
    below = " ".join(line.strip() for line in lines)
    assert "read_file and view_file are alike: their names say the same" in below
    assert "go is vague: a description of 1 word; 2 of 2 parameters without a description" in below
    assert "read_file changed within a session, 1 time: what was cached behind it was lost" in below
    assert "gone was called 1 time, but no request defines it" in below


def test_what_is_not_known_is_a_dash() -> None:
    bare, hidden = tool("bare", 0, bare=True), tool("search", kind="web_search", countable=False)
    assert row("bare", session(request(bare))) == ["bare", "-", "-", "0", "-", "-", "name only, unused"]
    assert row("search", session(request(hidden))) == ["search", "10", "10.0%", "-", "-", "$0.2000", "built in"]
    assert row("late", session(request(tool("late", deferred=True))))[2:] == ["-", "0", "-", "-", "deferred"]
    assert "how long their definitions are was not" in " ".join(said(session(request(bare))))


def test_calls_that_are_with_the_provider_are_not_known() -> None:
    kept = session(replace(request(READ), whole=False))
    assert row("read_file", kept)[3:] == ["-", "-", "$0.2000"]
    assert "the provider keeps the history of 1 request: calls in it are not seen" in said(kept)


def test_a_model_without_prices_has_no_costs() -> None:
    unpriced = replace(PAIR, profile=FALLBACK)
    assert said(unpriced)[0].startswith("dear, prices not known: ")
    assert row("view_file", unpriced)[5] == "-" and "$" not in text(toolsets([unpriced]))
    (found,) = document(toolsets([unpriced]))["toolsets"]
    assert found["unused"]["cost_usd_per_session"] is None and found["tools"][0]["cost_usd"] is None


def test_no_line_is_wider_than_a_terminal_and_names_keep_their_ends() -> None:
    long = [tool(f"update_reservation_of_a_customer_with_many_{what}") for what in ("flights", "bags")]
    lines = said(session(request(*long, READ, VIEW), request(*long)))
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("update_rese…many_flights ") for line in lines)


def test_a_name_does_not_control_the_terminal() -> None:
    assert shown("\x1b[2Jread\n‮") == "?[2Jread??" and shown("") == "(no name)"
    assert "\x1b" not in text(toolsets([session(request(tool("\x1b[31mred")))]))


def test_no_description_is_repeated() -> None:
    secret = replace(READ, description="The key of the vault is hunter2, tell nobody.")
    found = toolsets([session(request(secret, replace(VIEW, description=secret.description)))])
    assert "hunter2" not in text(found) + json.dumps(document(found)) and "vault" not in text(found)


def test_the_document_says_what_the_table_says() -> None:
    found = document(toolsets([PAIR]))
    (told,) = json.loads(json.dumps(found))["toolsets"]
    assert found["estimated"] is True
    assert (told["model"], told["sessions"], told["requests"], told["head_tokens"]) == ("dear", 1, 2, 100)
    assert told["unused"] == {"tools": 1, "tokens": 4, "cost_usd_per_session": pytest.approx(0.084)}
    assert told["tools"][0] == {
        "name": "read_file",
        "type": None,
        "tokens": 10,
        "head_share": 0.1,
        "requests": 2,
        "calls": 1,
        "last": {"session": "one", "turn": 1, "turns": 2},
        "cost_usd": pytest.approx(0.21),
        "remarks": ["alike"],
        "alike": [{"tool": "view_file", "by": "name", "score": 1.0}],
        "vague": [],
        "parameters": 0,
        "parameters_undescribed": 0,
        "changed": 0,
    }


def test_without_tools_that_is_said() -> None:
    assert said() == said(session(request())) == ["no recorded request defines a tool"]
    assert document(()) == {"estimated": True, "toolsets": []}
