"""The offline provider: serves a request as the model's rules say, and reports usage as the API would.

Rules of this room: it sees what was sent and nothing else. Prices are the profile's.
"""

from dataclasses import dataclass

from policies.core.profile import Profile
from policies.core.usage import Usage
from proxy.replay.cache import Cache, Prompt, Served, serve


@dataclass(slots=True)
class Provider:
    """One provider with one cache."""

    profile: Profile
    cache: Cache = ()

    def answer(self, prompt: Prompt, now: float, output_tokens: int) -> Usage:
        """Serve a request; what the API would report."""
        served, self.cache = serve(self.profile.cache, self.cache, prompt, now)
        return reported(self.profile, served, output_tokens)


def reported(profile: Profile, served: Served, output_tokens: int) -> Usage:
    """Usage as an API states it: where writing has no price, nothing is reported as written."""
    written, long = (served.written, served.written_long) if profile.prices.write is not None else (0, 0)
    return Usage(served.total, served.read, written, long, output_tokens)
