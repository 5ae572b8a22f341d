"""What `doctor` looks at: files, variables, ports, other programs, providers.

Rules of this room: everything here only reads, within a bound of seconds; what fails is a fact like any
other. Secrets stay behind: a fact has the host of a URL and the owner of a key, not the URL and the key.
"""
