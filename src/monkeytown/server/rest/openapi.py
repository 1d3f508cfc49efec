"""The OpenAPI document: made of the endpoints and of the very types that requests are read into.

Knows OpenAPI 3.1; nothing in it is written by hand but for what types do not say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from monkeytown.errors import ERROR_CODES, Refusal
from monkeytown.server.rest.answers import Error, status_of
from monkeytown.server.rest.endpoints import PATH_TYPES, Access, Endpoint
from monkeytown.server.rest.resources import CONFIRMATION

__all__ = ["document"]

REFERENCE = "#/components/schemas/{name}"
NAMES = "#/components/schemas/"

_HEADERS: dict[str, dict[str, Any]] = {
    "ETag": {"description": "Names this answer, for If-None-Match.", "schema": {"type": "string"}},
    "Location": {"description": "Where it is from now on.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds after which to try again.", "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "Bearer.", "schema": {"type": "string"}},
    "Allow": {"description": "The methods that there are.", "schema": {"type": "string"}},
}
_OF_STATUS = {401: "WWW-Authenticate", 429: "Retry-After"}
_SECURITY: dict[Access, list[dict[str, list[str]]]] = {
    Access.ANYONE: [{}, {"player": []}],
    Access.PLAYER: [{"player": []}],
    Access.ADMIN: [{"admin": []}],
}


def document(endpoints: Iterable[Endpoint], *, root: str, version: str) -> dict[str, Any]:
    """The whole document, as what JSON can hold."""
    endpoints = tuple(endpoints)
    types: list[Any] = [Error, *(type for type, _ in PATH_TYPES.values())]
    types += [endpoint.asks for endpoint in endpoints if endpoint.asks is not None]
    types += [endpoint.answers for endpoint in endpoints if endpoint.answers is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template=REFERENCE)
    by_type = {repr(type): _clean(schema) for type, schema in zip(types, schemas, strict=True)}
    components = {name: _clean(schema) for name, schema in components.items()}
    queries = {
        endpoint.asks.__name__
        for endpoint in endpoints
        if endpoint.asks is not None and not endpoint.reads_body
    }
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, by_type, components)
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Monkeytown", "version": version, "license": {"name": "MIT", "identifier": "MIT"}},
        "servers": [{"url": root}],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name not in queries},
            "headers": _HEADERS,
            "securitySchemes": {
                "player": {"type": "http", "scheme": "bearer", "description": "A player's token."},
                "admin": {"type": "http", "scheme": "bearer", "description": "MONKEYTOWN_ADMIN_TOKEN."},
            },
        },
    }


def _operation(
    endpoint: Endpoint, by_type: Mapping[str, Any], components: Mapping[str, Any]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _name_of(endpoint),
        "summary": endpoint.summary,
        "tags": [endpoint.path.split("/")[1]],
        "security": _SECURITY[endpoint.access],
        "parameters": _parameters(endpoint, by_type, components),
        "responses": _responses(endpoint, by_type),
    }
    if endpoint.reads_body:
        assert endpoint.asks is not None
        needed = any(field.required for field in msgspec.structs.fields(endpoint.asks))
        operation["requestBody"] = {
            "required": needed,
            "content": {"application/json": {"schema": by_type[repr(endpoint.asks)]}},
        }
    return operation


def _name_of(endpoint: Endpoint) -> str:
    """Such as `getGamesRoomChat`."""
    words = [word.strip("{}") for word in endpoint.path.replace(".", "/").split("/")]
    return endpoint.method.lower() + "".join(word.capitalize() for word in words)


def _parameters(
    endpoint: Endpoint, by_type: Mapping[str, Any], components: Mapping[str, Any]
) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    for part in endpoint.path.split("/"):
        if part.startswith("{"):
            type, _ = PATH_TYPES[part.strip("{}")]
            schema = by_type[repr(type)]
            parameters.append({"name": part.strip("{}"), "in": "path", "required": True, "schema": schema})
    if endpoint.asks is not None and not endpoint.reads_body:
        shape = components[by_type[repr(endpoint.asks)]["$ref"].removeprefix(NAMES)]
        for name, schema in shape["properties"].items():
            parameters.append({"name": name, "in": "query", "schema": _without_null(schema)})
    if endpoint.method == "GET":
        parameters.append({"name": "If-None-Match", "in": "header", "schema": {"type": "string"}})
    if endpoint.confirmed:
        sure = {"type": "string", "const": CONFIRMATION}
        parameters.append({"name": "Confirm", "in": "header", "required": True, "schema": sure})
    return parameters


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is left out; there is no null in an address."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    kept: dict[str, Any] = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    kept.update(kinds[0])
    return kept


def _responses(endpoint: Endpoint, by_type: Mapping[str, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    if endpoint.answers is None:
        responses["204"] = {"description": "Done."}
    else:
        schema = by_type[repr(endpoint.answers)]
        responses[str(endpoint.status)] = {
            "description": HTTPStatus(endpoint.status).phrase,
            "content": {"application/json": {"schema": schema}},
        }
    if endpoint.method == "GET":
        responses["200"]["headers"] = _headers("ETag")
        responses["304"] = {"description": "As If-None-Match says.", "headers": _headers("ETag")}
    codes: dict[int, set[str]] = {}
    for refusal in (*endpoint.refuses, *_anywhere(endpoint)):
        codes.setdefault(status_of(refusal).value, set()).add(refusal.code)
    for status, those in sorted(codes.items()):
        responses[str(status)] = {
            "description": " ".join(f"{code}: {ERROR_CODES[code]}" for code in sorted(those)),
            "content": {"application/json": {"schema": {"$ref": NAMES + "Error"}}},
        }
        if status in _OF_STATUS:
            responses[str(status)]["headers"] = _headers(_OF_STATUS[status])
    return responses


def _anywhere(endpoint: Endpoint) -> list[Refusal]:
    """What a request may meet whatever it asks."""
    codes = ["AUTH-001", "AUTH-002", "AUTH-004", "AUTH-005", "REST-002", "SYS-001"]
    if endpoint.access is not Access.ANYONE:
        codes.append("AUTH-006")
    if endpoint.asks is not None or endpoint.confirmed:
        codes.append("REST-001")
    if endpoint.reads_body:
        codes += ["REST-005", "REST-006", "REST-007"]
    if endpoint.needs_store:
        codes.append("SYS-003")
    return [Refusal(code=code) for code in codes] + [
        Refusal(code=PATH_TYPES[part.strip("{}")][1]) for part in endpoint.path.split("/") if part[:1] == "{"
    ]


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _clean(schema: Any) -> Any:
    """In JSON Schema `$` matches at the end only: what keeps Python from more is left out."""
    if isinstance(schema, dict):
        return {
            name: value.replace("(?!\\n)", "") if name == "pattern" else _clean(value)
            for name, value in schema.items()
            if not (name == "title" and isinstance(value, str))
        }
    if isinstance(schema, list):
        return [_clean(entry) for entry in schema]
    return schema
