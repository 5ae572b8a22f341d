"""Bodies of commands: one file each, called by `proxy.cli`.

Rules of this room: a command takes values and prints; the work is in the module that it is about,
and what is heavy is imported when the command runs. Arguments are parsed in `proxy.cli` only.
"""
