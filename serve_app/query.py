"""Query parameters of routes that are asked very often, parsed once per query string.

FastAPI takes the parameters of a model apart on every request, which costs more than a cached answer does. The model
stays the specification: what it refuses is refused in the same words, and the document lists the same parameters.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

ModelT = TypeVar("ModelT", bound=BaseModel)

KEPT: Final = 2_048
LONGEST_KEPT: Final = 512
"""Query strings kept, and how long one may be (bytes): a megabyte at the most."""


def parsed(model: type[ModelT]) -> Callable[[Request], ModelT]:
    """A function that reads `model` from the query. What it returns is shared between requests: do not change it."""
    kept: OrderedDict[bytes, ModelT] = OrderedDict()

    def parse(request: Request) -> ModelT:
        raw: bytes = request.scope["query_string"]
        found = kept.get(raw)
        if found is not None:
            return found
        try:
            found = model.model_validate(dict(request.query_params))
        except ValidationError as error:
            mistakes = error.errors(include_url=False)
            raise RequestValidationError([{**each, "loc": ("query", *each["loc"])} for each in mistakes]) from error
        if len(raw) <= LONGEST_KEPT:
            kept[raw] = found
            if len(kept) > KEPT:
                kept.popitem(last=False)
        return found

    return parse


def query_parameters(model: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` that documents the fields of `model` as query parameters, as FastAPI would."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    required = schema.get("required", ())
    parameters: list[dict[str, Any]] = []
    for name, declared in schema["properties"].items():
        field = {key: value for key, value in declared.items() if value is not None}
        parameter = {"name": name, "in": "query", "required": name in required, "schema": field}
        if "description" in field:
            parameter["description"] = field["description"]
        parameters.append(parameter)
    return {"parameters": parameters}
