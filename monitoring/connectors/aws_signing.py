"""AWS Signature Version 4 for a GET: what a request to AWS must carry so that it is believed."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"


def signed_headers(
    url: str, *, at: dt.datetime, region: str, service: str, key_id: str, secret: str, session_token: str = ""
) -> dict[str, str]:
    """The headers that sign a GET of the address, which must be written as it is sent."""
    parts, stamp = urlsplit(url), at.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": parts.netloc, "x-amz-date": stamp} | ({"x-amz-security-token": session_token} if session_token else {})
    names = ";".join(sorted(headers))
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in parse_qsl(parts.query, keep_blank_values=True))
    request = "\n".join(
        [
            "GET",
            parts.path or "/",
            "&".join(f"{name}={value}" for name, value in pairs),
            _lines(headers),
            names,
            hashlib.sha256(b"").hexdigest(),
        ]
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = "\n".join([ALGORITHM, stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for word in (stamp[:8], region, service, "aws4_request"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    told = f"{ALGORITHM} Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {name: value for name, value in headers.items() if name != "host"} | {"Authorization": told}


def _lines(headers: Mapping[str, str]) -> str:
    return "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in sorted(headers))
