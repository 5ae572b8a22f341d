"""`holdfast doctor`: finds the usual mistakes of a set-up and says what to type.

Rules of this room: a check is a pure function of facts, in a module beside this one; what is read, asked
or connected to is gathered in `facts/`, leaves nothing behind and takes seconds. No finding shows a key, a
token or a password, whatever variable, file or URL it stands in: facts hold what a key looks like, never the key.
"""
