"""`holdfast simulate`: the strict simulated provider as a server.

Rules of this room: the provider is in `proxy.simulator`; here is only which profiles it serves.
"""

from policies.core.profile import find_profile
from proxy.errors import ConfigError
from proxy.profiles import load_profiles
from proxy.simulator import serve


def run(host: str, port: int, model: str) -> int:
    """Serve until interrupted; the exit status."""
    profiles = load_profiles()
    if model and find_profile(profiles, model) is None:
        raise ConfigError(f"no profile describes the model `{model}`", help="`holdfast models` lists them")
    serve.run(host, port, model, profiles)
    return 0
