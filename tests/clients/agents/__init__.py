"""Small agents, each built with one library as that library's own documents show it.

Rules of this room: a program is run by the interpreter of the environment that holds its library, with model
and task as arguments, in the workspace, and prints the agent's last word. The base URL comes from the variable
that the library reads; nothing here names an address. It may import nothing of ours but `workspace`.
"""
