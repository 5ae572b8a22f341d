"""Tools that Holdfast itself answers inside a response: its own `recall`, and tools that the client has withdrawn.

The agent never sees such a call. What the model says before it passes at once, byte for byte; the call itself is
kept back; where the model waits for nothing else, Holdfast answers it, asks the provider to go on, and relays what
comes next as the same answer. The request that goes on is the one that was sent, then the call and its result, so it
reads the provider's cache.

The agent's history then lacks the call. It is not put back: what was sent for a turn is still a prefix of what is
sent for the next one, the further requests are forks of it that nobody continues, and no message of the agent has to
be rewritten. Reasoning behind a call is bound to it, so it is left out of what the agent gets.

A call beside calls of the agent's own waits for these: it is answered by a note at the tail of the agent's next
request, which was never sent before, so that the note costs no cache.

Rules of this room: the splicers are pure; `rounds` drives them. What is odd passes as it came.
"""
