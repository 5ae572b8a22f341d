"""The running Python, and what is installed beside Holdfast.

Rules of this room: read from the metadata of distributions; nothing is imported for it.
"""

import re
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, metadata, requires, version

from proxy.doctor.software import Software

DISTRIBUTION = "holdfast"


def look_at_software() -> Software:
    try:
        floor = metadata(DISTRIBUTION)["Requires-Python"] or ""
        needed: Sequence[str] = requires(DISTRIBUTION) or ()
    except PackageNotFoundError:
        floor, needed = "", ()
    python = (sys.version_info.major, sys.version_info.minor, sys.version_info.micro)
    names = [found.group() for text in needed if (found := re.match(r"[A-Za-z0-9._-]+", text))]
    installed = {name: have for name in names if (have := _version(name))}
    return Software(python, floor, needed, installed)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
