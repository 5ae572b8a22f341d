"""What a signature covers is sent as it came, measured, and forgotten."""

from policies.core.usage import Usage
from proxy.exchange import Request, prepare, settle
from tests.proxy.driving import CHAT, EAGER, Replica, run, work


def signed(replica: Replica, turns: int) -> Request:
    return Request("bedrock", CHAT.dialect, CHAT.path, CHAT.body(work(turns)), b"AWS4-HMAC-SHA256 x", signed=True)


def test_a_signed_body_is_never_edited_whatever_the_policy_and_the_history() -> None:
    replica = Replica(EAGER)
    for turns in range(1, 12):
        request = signed(replica, turns)
        prepared = run(prepare(request, replica.context, float(turns)))
        assert prepared.body is request.body
        assert prepared.headers == (("x-holdfast-passthrough", "signed_body"),)
        run(settle(prepared, replica.context, Usage(input=10), float(turns)))


def test_nothing_is_remembered_of_a_signed_request() -> None:
    """Its credential is another on every request, and the name of its key is anybody's to claim."""
    replica = Replica(EAGER)
    prepared = run(prepare(signed(replica, 3), replica.context, 1.0))
    run(settle(prepared, replica.context, Usage(input=10), 1.0))
    assert not replica.context.tenants
    assert not replica.context.memo.heads
