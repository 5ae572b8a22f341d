"""WebSocket: a connection on either side of the proxy, messages passed on whole, and a Responses conversation followed.

Rules of this room: a message is the same text or the same bytes on both sides, unless `prepare` edited one that it
could see whole; frames, masks, compression, pings and keys belong to one connection. What is followed may be lost,
the connection may not: a fault here is a lost number (FAIL-OPEN). Nothing is kept without a bound.
"""
