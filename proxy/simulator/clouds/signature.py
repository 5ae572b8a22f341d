"""AWS Signature Version 4, checked: one changed byte of the body, the path or a signed header is refused.

Source: "Signature Version 4 signing process" in AWS' general reference. Every access key has the one secret.
"""

import hashlib
import hmac
import re
from urllib.parse import quote

from proxy.simulator.apis import Call
from proxy.simulator.refusals import Refusal

SECRET = "a secret of the simulated account"

_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<scope>(?P<date>\d{8})/(?P<region>[^/]+)/bedrock/aws4_request),"
    r" ?SignedHeaders=(?P<signed>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method."
)


def holder(call: Call) -> str:
    """Who asks: a key of Bedrock's own as a bearer token, or the access key of a signature that is right."""
    stated = call.headers.get("authorization", "")
    if stated.startswith("Bearer ") and stated != "Bearer ":
        return stated.removeprefix("Bearer ")
    found = _HEADER.fullmatch(stated)
    if found is None:
        raise Refusal(403, "Missing Authentication Token")
    if not hmac.compare_digest(_signature(call, found), found["signature"]):
        raise Refusal(403, _MISMATCH)
    return found["key"]


def _signature(call: Call, found: re.Match[str]) -> str:
    key = f"AWS4{SECRET}".encode()
    for part in (found["date"], found["region"], "bedrock", "aws4_request"):
        key = _hmac(key, part)
    digest = hashlib.sha256(_canonical(call, found["signed"]).encode()).hexdigest()
    stated = ("AWS4-HMAC-SHA256", call.headers.get("x-amz-date", ""), found["scope"], digest)
    return _hmac(key, "\n".join(stated)).hex()


def _canonical(call: Call, signed: str) -> str:
    names = signed.split(";")
    headers = [f"{name}:{' '.join(call.headers.get(name, '').split())}" for name in names]
    body = hashlib.sha256(call.body).hexdigest()
    return "\n".join(("POST", quote(call.raw_path, safe="/~"), "", *headers, "", signed, body))


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
