"""Clients that rewrite what they have sent: each change has its cause and place, and nothing of ours makes it worse.

The conversations are made after what was seen of these clients (aider 0.86, smolagents 1.26, opencode 1.18).
"""

from collections.abc import Callable, Iterator, Sequence

import pytest

from proxy.config.policies import load_policy
from tests.proxy.driving import CHAT, Json, dump, large
from tests.proxy.explain.playing import Broken, Sent, played

RULES = "Act as an expert developer. " * 200
FILES = "I have *added these files to the chat* so you can go ahead and edit them.\n\n" + large("app.py") * 4
REMINDER = "\n\nEvery block must use the edit format."


def _said(role: str, text: str) -> Json:
    return {"role": role, "content": text}


def _request(number: int, system: str, messages: Sequence[Json], tools: bool = False) -> Sent:
    body = {
        **CHAT.head("gpt-4.1", system, "final_answer" if tools else ""),
        "messages": [*CHAT.lead(system), *messages],
    }
    if not tools:
        del body["tools"]
    return Sent(CHAT.path, dump(body), 10.0 * number, {"authorization": "Bearer key"})


def aider() -> Iterator[Sent]:
    """The files, read again each time, and a reminder stand behind a history that grows in front of them."""
    history: list[Json] = []
    for number in range(6):
        asked, answer = f"Request {number}: raise the limit. " * 20, f"Answer {number}: done. " * 60
        files = [_said("user", FILES), _said("assistant", "Ok, any changes I propose will be to those files.")]
        yield _request(number, RULES, [*history, *files, _said("user", asked + REMINDER)])
        history += [_said("user", asked), _said("assistant", answer)]


def smolagents() -> Iterator[Sent]:
    """Every third step a plan is asked for under another system prompt, and the last user message is written anew."""
    task, steps, number = _said("user", "New task:\nCount the words of all files. " * 40), list[Json](), 0
    for step in range(9):
        if step % 3 == 0 and step:
            yield _request(number, "You plan. " * 300, [task, *steps, _said("user", "Write a new plan.")])
            number += 1
            steps[-1] = _said("user", f"{steps[-1]['content']}\nNow carry out this plan:\n{step}. go on")
        yield _request(number, RULES, [task, *steps])
        number += 1
        steps += [_said("assistant", f"Thought: look {step}"), _said("user", f"Observation:\n{large(str(step))}")]


def without_tools_at_last() -> Iterator[Sent]:
    """smolagents' ToolCallingAgent: the call for the final answer has no tools."""
    task, steps = _said("user", "Count the words of all files. " * 40), list[Json]()
    for number in range(5):
        yield _request(number, RULES, [task, *steps], tools=True)
        steps += [_said("assistant", f"Look {number}."), _said("user", f"Observation:\n{large(str(number))}")]
    yield _request(5, RULES, [task, *steps, _said("user", "Answer now.")])


def titled() -> Iterator[Sent]:
    """A title is asked for of the very message with which the main loop begins, and once more later."""
    task, steps = _said("user", "Count the words of all files. " * 200), list[Json]()
    title = "Write a title. " * 300
    yield _request(0, title, [task])
    for number in range(1, 5):
        yield _request(number, RULES, [task, *steps], tools=True)
        steps += [_said("assistant", f"Look {number}."), _said("user", f"Observation:\n{large(str(number))}")]
    yield _request(5, title, [task])
    yield _request(6, RULES, [task, *steps], tools=True)


AIDER: Broken = tuple((number, "history_edited", f"messages[{2 * number - 1}]") for number in range(2, 6))
SMOLAGENTS: Broken = (
    (3, "system_changed", "system[0].content[0].text"),
    (7, "history_edited", "messages[7].content[0].text"),
)


@pytest.mark.parametrize(
    ("client", "breaks"),
    [
        (aider, AIDER),
        (smolagents, SMOLAGENTS),
        (without_tools_at_last, ((5, "tools_changed", "tools[0]"),)),
        (titled, ()),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_change_is_named_and_the_cache_gives_no_less_than_direct(
    client: Callable[[], Iterator[Sent]], breaks: Broken
) -> None:
    requests = list(client())
    direct, through = (played("s", requests, load_policy(policy).policy) for policy in ("observe", "default"))
    assert direct.broken(ours=False) == breaks and set(through.broken(ours=False)) <= set(breaks)
    assert "provider_unexplained" not in direct.losses | through.losses
    assert not direct.broken(ours=True) and not through.broken(ours=True)
    assert through.read >= direct.read and through.cost <= direct.cost


def test_between_its_steps_a_plan_costs_the_main_loop_nothing() -> None:
    """Under another system prompt; the step behind it reads what the step before it has left."""
    steps = played("s", list(smolagents()), load_policy("default").policy).lines
    assert [line.prefix for line in steps if not line.lost] == ["first", *["kept"] * 8]
    assert all(line.read and line.achievable and line.read >= line.achievable > 0.7 for line in (steps[4], steps[8]))
