"""What an agent's tool definitions cost and whether they earn it: read from recordings, reported once.

Rules of this room: `definitions`, `words`, `remarks` and `tally` are pure; `reading` takes sessions from
`proxy.replay`; `report` makes text and documents. Whatever a client lists as a tool, nothing here raises.
"""
