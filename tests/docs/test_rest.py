"""docs/reference/rest.md says what the OpenAPI document says, which is what the server does."""

from __future__ import annotations

from typing import Any

from monkeytown.server.rest.resources import MOST_BODY
from tests.docs.pages import ROOT, table
from tests.server.rest.test_openapi import DOCUMENT

PAGE = ROOT / "docs/reference/rest.md"
SCHEMAS = DOCUMENT["components"]["schemas"]
WHO = {"player": "a player", "admin": "the administrator"}


def name_of(schema: dict[str, Any]) -> str:
    name = schema.get("$ref", "").rpartition("/")[2]
    return f"page of {name[5:-1]}" if name.startswith("Page_") else name or "JSON"


def is_nullable(schema: dict[str, Any]) -> bool:
    kinds = schema.get("anyOf", [schema])
    return {"type": "null"} in kinds


def endpoint(method: str, path: str, operation: dict[str, Any]) -> list[str]:
    """The row of one endpoint."""
    security = operation["security"]
    who = "anybody" if {} in security else next(WHO[name] for one in security for name in one)
    asks = [
        (parameter["name"], parameter.get("required", False))
        for parameter in operation["parameters"]
        if parameter["in"] == "query" or parameter["name"] == "Confirm"
    ]
    if "requestBody" in operation:
        body = SCHEMAS[name_of(operation["requestBody"]["content"]["application/json"]["schema"])]
        asks = [(name, name in body.get("required", ())) for name in body["properties"]]
    asked = " ".join(f"`{name}`{'' if needed else '?'}" for name, needed in asks)
    status, answer = next((status, one) for status, one in operation["responses"].items() if status < "300")
    shape = name_of(answer["content"]["application/json"]["schema"]) if "content" in answer else ""
    return [
        f"{method.upper()} {path}",
        who,
        asked.strip("`"),
        f"{status} {shape}".strip(),
        operation["summary"],
    ]


def test_every_endpoint_is_described():
    rows = [
        endpoint(method, path, operation)
        for path, operations in DOCUMENT["paths"].items()
        for method, operation in operations.items()
    ]
    assert table(PAGE, "request") == rows


def test_every_answer_is_described():
    answers = {
        name_of(one["content"]["application/json"]["schema"]).removeprefix("page of ")
        for operations in DOCUMENT["paths"].values()
        for operation in operations.values()
        for status, one in operation["responses"].items()
        if status < "300" and "content" in one
    } - {"JSON"}
    rows = {
        name: " ".join(
            f"`{field}`{'?' if is_nullable(schema) else ''}" for field, schema in about["properties"].items()
        )
        for name, about in SCHEMAS.items()
        if name in answers
    }
    assert dict(table(PAGE, "answer")) == {name: fields.strip("`") for name, fields in rows.items()}


def test_every_status_is_described():
    statuses = {
        int(status)
        for operations in DOCUMENT["paths"].values()
        for operation in operations.values()
        for status in operation["responses"]
    }
    assert {int(row[0]) for row in table(PAGE, "status")} == statuses | {405}
    codes = {
        (status, code.rstrip(":"))
        for operations in DOCUMENT["paths"].values()
        for operation in operations.values()
        for status, one in operation["responses"].items()
        if status >= "400"
        for code in one["description"].split()
        if code[-2:-1].isdigit() and code.endswith(":")
    } | {("405", "REST-004")}
    described = {
        (status, code.strip("`"))
        for status, those, _ in table(PAGE, "status")
        for code in those.replace("`", "").split(", ")
        if code
    }
    assert described == codes


def test_the_size_of_a_body_is_described():
    assert f"{MOST_BODY // 1024} KiB" in PAGE.read_text()
