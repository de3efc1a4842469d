"""How the proxy before a DynamoDB engine answers falsely, as the twin's server does."""

from __future__ import annotations

import json
from typing import Any

from tests.faults.proxy import Answer, Forward, Request, error

from ..twins import HalfError, HiddenError, ThrottledError, UnprocessedError
from ..twins.documents import without
from ..twins.hook import LieError

_BUSY = {"Code": "ProvisionedThroughputExceeded", "Message": "The level of configured throughput was exceeded"}


def lied(lie: LieError | None, request: Request, forward: Forward) -> Answer:
    """The answer to a request, of which what the lie says is not done, or not told. An engine on one machine reads nothing stale."""
    match lie:
        case ThrottledError():
            return error(f"{lie.code}Exception")
        case UnprocessedError() | HalfError():
            return _first(lie.done, request, forward)
        case HiddenError():
            answer = forward(request)
            return _answer(without(answer.json, lie.keys)) if answer.status == 200 else answer
    return forward(request)


def _first(done: int, request: Request, forward: Forward) -> Answer:
    """Only so many of a batch are done; the others are told to be left."""
    if "Statements" in request.json:
        statements = request.json["Statements"]
        found = forward(request.having(Statements=statements[:done])).json["Responses"] if done else []
        return _answer({"Responses": [*found, *({"Error": _BUSY} for _ in statements[done:])]})
    ((name, asked),) = request.json["RequestItems"].items()
    keys = asked["Keys"]
    items = {name: {**asked, "Keys": keys[:done]}}
    found = forward(request.having(RequestItems=items)).json["Responses"][name] if done else []
    left = {name: {**asked, "Keys": keys[done:]}} if keys[done:] else {}
    return _answer({"Responses": {name: found}, "UnprocessedKeys": left})


def _answer(said: dict[str, Any]) -> Answer:
    return Answer(body=json.dumps(said).encode())
