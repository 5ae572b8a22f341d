"""What to change in a conversation, and when.

Rules of this room: pure. No I/O, clock, environment, randomness, logging; time, randomness and
configuration are arguments. Imports the standard library, msgspec and `policies` only.
"""
