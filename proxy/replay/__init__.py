"""Recorded sessions through the real pipeline, offline: what a policy would have cost and kept.

Rules of this room: every request goes through `prepare` and `settle` as it would in the proxy, and
what they return, as bytes, is read again and served by an offline provider. Nothing here believes
the planner: its mistakes show as cache lost. No network, no clock, no key.
"""
