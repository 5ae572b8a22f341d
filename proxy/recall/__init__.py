"""Reading back what was elided, and the notes beside it: what every door (command line, HTTP, MCP) shares.

Rules of this room: what is asked for wrongly is an AskedError that says what can be had; nothing that is asked for
takes unbounded time or room. Who may ask is the door's to say; whose originals they see is said by `Reader`.
"""
