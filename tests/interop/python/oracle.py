#!/usr/bin/env python3
"""What the real Python SDKs sign for given requests.

JSON lines on stdin: name, scheme, dialect, method, target (path?query as on the
wire), headers (object), body (text) or body_base64, access_key_id,
access_key_secret, security_token and, for ACS3, optionally algorithm.
JSON lines on stdout: name, string_to_sign, canonical_request (ACS3 only),
authorization, error.

The headers are signed as given: nothing is added, and an authorization header
among them is left out. The texts are what the SDK itself handed to its digest,
taken down on the way, not computed here.
"""
import base64
import email.utils
import hmac
import json
import sys
import urllib.parse
import warnings
from contextlib import contextmanager
from unittest import mock

warnings.simplefilter("ignore", DeprecationWarning)

import requests  # noqa: E402
from alibabacloud_fc_open20210406.client import Client as FcClient  # noqa: E402
from alibabacloud_openapi_util.client import Client as OpenApiUtil  # noqa: E402
from alibabacloud_tea_openapi import models as open_api_models  # noqa: E402
from Tea.request import TeaRequest  # noqa: E402


@contextmanager
def noted_hmac():
    """Notes every message that goes into an HMAC, and passes it on."""
    notes = []
    plain = hmac.new

    def new(key, msg=None, digestmod=""):
        notes.append(msg)
        return plain(key, msg, digestmod)

    with mock.patch.object(hmac, "new", new):
        yield notes


@contextmanager
def noted_hash():
    """Notes everything OpenApiUtil hashes, and passes it on."""
    notes = []
    plain = OpenApiUtil.hash

    def noting(raw, sign_type):
        notes.append(raw)
        return plain(raw, sign_type)

    with mock.patch.object(OpenApiUtil, "hash", staticmethod(noting)):
        yield notes


def fc(entry, headers, _body):
    """Client.sign_request, with the clock showing the date of the entry."""
    date = None
    for name in list(headers):
        if name.lower() == "date":
            date = headers.pop(name)
    if date is None:
        raise ValueError("no date header to sign")
    # The credential has no token: the header, if there is to be one, is given.
    client = FcClient(
        open_api_models.Config(
            access_key_id=entry["access_key_id"],
            access_key_secret=entry["access_key_secret"],
            region_id="cn-hangzhou",
        )
    )
    request = requests.Request(method=entry["method"], url="http://host" + entry["target"], headers=headers)
    with mock.patch.object(email.utils, "formatdate", lambda *_, **__: date), noted_hmac() as notes:
        request = client.sign_request(request)
    return {"string_to_sign": notes[-1].decode("utf-8"), "authorization": request.headers["authorization"]}


def tea_request(entry, headers, pathname, query):
    request = TeaRequest()
    request.method = entry["method"]
    request.pathname = pathname
    request.query = query
    request.headers = headers
    return request


def split(target):
    path, _, query = target.partition("?")
    return path, query


def acs3(entry, headers, body):
    algorithm = entry.get("algorithm") or "ACS3-HMAC-SHA256"
    path, query = split(entry["target"])
    if entry["dialect"] == "acs3/py-doc":
        # The documented sample: `$` replaced, first value of a key, blank ones left out, no payload.
        parameters = {key: values[0] for key, values in urllib.parse.parse_qs(query).items()}
        request = tea_request(entry, headers, path.replace("$", "%24"), parameters)
        payload = ""
    else:
        # The general way starts from a map; the target was made from it.
        parameters = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        request = tea_request(entry, headers, path, parameters)
        payload = OpenApiUtil.hex_encode(OpenApiUtil.hash(body, algorithm))
    with noted_hmac() as signed, noted_hash() as hashed:
        authorization = OpenApiUtil.get_authorization(
            request, algorithm, payload, entry["access_key_id"], entry["access_key_secret"]
        )
    return {
        "string_to_sign": signed[-1].decode("utf-8"),
        "canonical_request": hashed[-1].decode("utf-8"),
        "authorization": authorization,
    }


def acs(entry, headers, _body):
    path, query = split(entry["target"])
    parameters = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    text = OpenApiUtil.get_string_to_sign(tea_request(entry, headers, path, parameters))
    signature = OpenApiUtil.get_roasignature(text, entry["access_key_secret"])
    return {"string_to_sign": text, "authorization": "acs {}:{}".format(entry["access_key_id"], signature)}


DIALECTS = {
    "fc/py-gateway": fc,
    "acs3/py-doc": acs3,
    "acs3/py": acs3,
    "acs/py": acs,
}


def answer(entry):
    sign = DIALECTS.get(entry["dialect"])
    if sign is None:
        raise ValueError("not a dialect of these SDKs: " + entry["dialect"])
    headers = {name: value for name, value in entry["headers"].items() if name.lower() != "authorization"}
    if entry.get("body_base64") is not None:
        body = base64.b64decode(entry["body_base64"])
    else:
        body = (entry.get("body") or "").encode("utf-8")
    return sign(entry, headers, body)


def main():
    for line in sys.stdin.buffer:
        if not line.strip():
            continue
        entry = json.loads(line)
        result = {
            "name": entry.get("name"),
            "string_to_sign": None,
            "canonical_request": None,
            "authorization": None,
            "error": None,
        }
        try:
            result.update(answer(entry))
        except Exception as problem:  # the SDKs raise many kinds
            result["error"] = "{}: {}".format(type(problem).__name__, problem)
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    sys.exit(main())
