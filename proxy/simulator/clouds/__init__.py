"""The same models behind the doors of Azure, Vertex and Bedrock: other paths, credentials, envelopes.

Rules of this room: a door checks what is its own (path, version, who signs) and hands the rest, reworded, to
the API that it leads to; it is as strict as that API. Sources: the platform clients in the openai and
anthropic packages, the model of bedrock-runtime in botocore.
"""

import re

from proxy.simulator.apis import Api
from proxy.simulator.clouds.azure import AZURE_CHAT, AZURE_RESPONSES, FOUNDRY_MESSAGES
from proxy.simulator.clouds.bedrock import CONVERSE, INVOKE
from proxy.simulator.clouds.vertex import VERTEX_GEMINI, VERTEX_MESSAGES

_PLACE = r"/v1(?:beta1)?/projects/[^/]+/locations/[^/]+/publishers"

DOORS: tuple[tuple[re.Pattern[str], Api], ...] = (
    (re.compile(r"/openai/deployments/[^/]+/chat/completions|/openai/v1/chat/completions"), AZURE_CHAT),
    (re.compile(r"/openai/(?:v1/)?responses"), AZURE_RESPONSES),
    (re.compile(r"/anthropic/v1/messages(?:/count_tokens)?"), FOUNDRY_MESSAGES),
    (re.compile(_PLACE + r"/anthropic/models/[^/:]+:(?:raw|streamRaw)Predict"), VERTEX_MESSAGES),
    (
        re.compile(_PLACE + r"/google/models/[^/:]+:(?:generateContent|streamGenerateContent|countTokens)"),
        VERTEX_GEMINI,
    ),
    (re.compile(r"/model/.+/invoke(?:-with-response-stream)?"), INVOKE),
    (re.compile(r"/model/.+/converse(?:-stream)?"), CONVERSE),
)


def door_of(path: str) -> Api | None:
    """The API behind this path, which is decoded: an ARN in it has slashes."""
    return next((api for pattern, api in DOORS if pattern.fullmatch(path)), None)
