"""A strict imitation of the hosted providers, to test agents and the proxy against without a key or a network.

It accepts what the real APIs accept, refuses what they refuse, keeps a prompt cache by their rules
and reports usage in their fields. Its cache is written from the providers' documents alone, so that
it can contradict the planner's model. Rules of this room: time, randomness, tokens and what the
model says are arguments; whatever a client sends, the answer is never a 500. It must not know the
proxy: of our own code only `policies.core.profile` (data) is imported.
"""
