#!/usr/bin/env python3
"""Make every call that an SDK has, and print what came back.

    every.py --base http://127.0.0.1:PORT --package PACKAGE

PACKAGE is alibabacloud_fc20230330 or alibabacloud_fc_open20210406. Credentials as send.py has
them; one JSON object a line on stdout: `name`, `status`, `body`, `query` (whether there is one),
and `error`.
"""
import argparse
import importlib
import inspect
import json
import os
import sys
import warnings

# Loopback only: no proxy, and no netrc entry may replace Authorization.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost,::1"
for _name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
    os.environ.pop(_name, None)
os.environ["NETRC"] = os.devnull
warnings.simplefilter("ignore", DeprecationWarning)

import requests  # noqa: E402
from alibabacloud_tea_openapi import models as open_api_models  # noqa: E402

# What is written for each type of field; others are left out.
FILLED = {"str": "a value", "int": 3, "bool": True}
# Header fields with a meaning of their own.
HEADERS = {"x_fc_invocation_type": "Sync", "x_fc_log_type": "Tail", "x_fc_account_id": "1234"}

SEEN = []
_plain = requests.Session.send


def _send(session, request, **options):
    response = _plain(session, request, **options)
    SEEN.append((response.status_code, response.text, "?" in request.path_url))
    return response


requests.Session.send = _send


def annotation(parameter):
    kind = parameter.annotation
    return kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))


def filled(model, values=None):
    """A model with something in each of its plain fields."""
    fields = {}
    for name, parameter in inspect.signature(model.__init__).parameters.items():
        if values is not None and name not in values:
            continue
        value = (values or {}).get(name, FILLED.get(annotation(parameter)))
        if value is not None:
            fields[name] = value
    return model(**fields)


def argument(models, name, parameter, headers):
    kind = annotation(parameter)
    last = kind.split(".")[-1]
    if name == "runtime":
        module = importlib.import_module(
            "darabonba.runtime" if "models" not in kind else "alibabacloud_tea_util.models"
        )
        return module.RuntimeOptions()
    if name == "headers":
        return filled(getattr(models, last), headers) if hasattr(models, last) else {}
    if name in ("request", "tmp_req"):
        model = getattr(models, last)
        # A body that is bytes stands alone.
        made = filled(model)
        if last == "InvokeFunctionRequest":
            made.body = b'{"a": 1}'
        return made
    return "a-name"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", required=True)
    parser.add_argument("--package", required=True)
    options = parser.parse_args()
    models = importlib.import_module(options.package + ".models")
    client = importlib.import_module(options.package + ".client").Client(
        open_api_models.Config(
            access_key_id=os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"],
            access_key_secret=os.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
            security_token=os.environ.get("ALIBABA_CLOUD_SECURITY_TOKEN") or None,
            region_id="cn-hangzhou",
            endpoint=options.base.split("//")[1],
            protocol="http",
        )
    )
    calls = [(name, name, HEADERS) for name in sorted(dir(client)) if name.endswith("with_options")]
    steering = {**HEADERS, "x_fc_invocation_type": "Async", "x_fc_async_task_id": "task-1"}
    calls.append(("invoke_function_later", "invoke_function_with_options", steering))
    for label, name, headers in calls:
        method = getattr(client, name)
        given = {
            each: argument(models, each, parameter, headers)
            for each, parameter in inspect.signature(method).parameters.items()
        }
        SEEN.clear()
        error = None
        try:
            method(**given)
        except Exception as problem:  # An answer that the SDK does not understand is one still.
            error = f"{type(problem).__name__}: {problem}"
        status, body, query = SEEN[-1] if SEEN else (None, None, None)
        line = {"name": label, "status": status, "body": body, "query": query, "requests": len(SEEN)}
        print(json.dumps({**line, "error": None if SEEN else error}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
