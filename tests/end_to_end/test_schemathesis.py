"""Requests that schemathesis makes of OpenAI's description of its API: an upstream that takes all is never to blame.

Not among the locked packages: it runs where the command `st` is (`pip install schemathesis`).
"""

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.running import environment, holdfast, raw_upstream

SEEN = "chat/completions|responses|responses/compact|responses/input_tokens"
PASSING = "files|embeddings|models/{model}|audio/transcriptions"
BOUNDED = ("--phases=fuzzing", "--max-examples=100", "--max-time=30", "--generation-deterministic", "-w", "1")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("st") is None, reason="no schemathesis")
def test_no_request_within_or_beside_the_description_makes_a_server_error(tmp_path: Path, shared: Path) -> None:
    description = tmp_path / "openai.yml"
    description.write_bytes(gzip.decompress((shared / "specs" / "openai-3.3.1.yml.gz").read_bytes()))
    paths = f"--include-path-regex=^/({SEEN}|{PASSING})$".replace("{model}", r"\{model\}")
    with raw_upstream() as upstream, holdfast(tmp_path / "proxy", {"openai": upstream.url}) as proxy:
        outcome = subprocess.run(
            [
                "st",
                "run",
                str(description),
                f"--url={proxy.url}/openai/v1",
                paths,
                "--checks=not_a_server_error",
                *BOUNDED,
            ],
            capture_output=True,
            text=True,
            timeout=110,
            cwd=tmp_path,
            env=environment(tmp_path, {"NO_COLOR": "1"}),
        )
        assert outcome.returncode == 0, outcome.stdout[-4000:]
        assert len(upstream.arrived) > 100
        assert proxy.numbers().total("holdfast_requests_total", status_class="5xx") == 0
