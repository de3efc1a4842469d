"""Whether an answer is what the API's description says that it may be."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

BASE = "/trueup/api"


class Described:
    """The description of the API, and how often each of its answers was seen."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        (server,) = document["servers"]
        assert server == {"url": BASE}

    def check(self, answer: Any) -> None:
        """Raise `AssertionError` for an answer that is not described: its status, headers, media type or content."""
        answer.read()
        described = self._operation(answer.request.url.path, answer.request.method.lower())
        if described is None:  # there is no such route
            assert answer.status_code == 404
            self._problem(answer)
            return
        responses = described["responses"]
        assert str(answer.status_code) in responses, f"{answer.status_code} of {answer.request.url} is not described"
        response = responses[str(answer.status_code)]
        for name in response.get("headers", {}):
            assert name in answer.headers, f"{answer.request.url}: no header {name}"
        if "content" not in response:
            assert not answer.content
            return
        media_type = answer.headers["content-type"].split(";")[0]
        assert media_type in response["content"]
        self._fits(answer, response["content"][media_type]["schema"])
        if answer.status_code not in (200, 201):
            self._problem(answer)

    def _operation(self, path: str, method: str) -> dict[str, Any] | None:
        for template, methods in self.document["paths"].items():
            if re.fullmatch(BASE + re.sub(r"\{\w+\}", "[^/]+", template), path):
                found: dict[str, Any] = methods.get(method) or methods["get"]
                return found
        return None

    def _fits(self, answer: Any, schema: dict[str, Any]) -> None:
        whole = {**schema, "components": self.document["components"]}
        content = json.loads(answer.text, parse_float=Decimal)
        Draft202012Validator(whole, format_checker=FormatChecker()).validate(content)

    def _problem(self, answer: Any) -> None:
        assert answer.headers["content-type"] == "application/problem+json"
        content = answer.json()
        assert content["status"] == answer.status_code
        assert content["instance"] == answer.request.url.path
        assert content["title"]
        assert content["detail"]
