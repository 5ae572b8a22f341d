"""Configuration: holdfast.yaml, policy files, variables and flags become one frozen value.

Rules of this room: two stages, text to a tree with line numbers, tree to typed values; strict,
everything that is wrong is reported at once with its place. The environment and the clock are
arguments. Importing has no effect. It must not know what the settings are used for.
"""

from proxy.config.layers import Override
from proxy.config.live import Live, Reloaded
from proxy.config.load import Request, default_file, load_settings
from proxy.config.nodes import ConfigErrors, masked
from proxy.config.policies import PRESETS, PolicyFile, load_policy
from proxy.config.settings import Secret, Settings, Url

__all__ = [
    "PRESETS",
    "ConfigErrors",
    "Live",
    "Override",
    "PolicyFile",
    "Reloaded",
    "Request",
    "Secret",
    "Settings",
    "Url",
    "default_file",
    "load_policy",
    "load_settings",
    "masked",
]
