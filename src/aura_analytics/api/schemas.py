"""JSON Schema of the types that are really sent and taken, as OpenAPI 3.1 wants it. Any, throughout: schemas."""

from typing import Any

import msgspec

Schema = dict[str, Any]


def schema_of(kind: Any) -> Schema:
    """Describe a type, whole: a router has no place for definitions that are shared."""
    schema = msgspec.json.schema(kind, ref_template="#/{name}")
    found: Schema = _inlined(schema, schema.pop("$defs", {}))
    return found


def _inlined(schema: Any, definitions: Schema) -> Any:
    """Put the definitions of a schema where they are referred to, and patterns in the words of ECMA 262."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
        return {
            key: _ecma(value) if key == "pattern" else _inlined(value, definitions) for key, value in schema.items()
        }
    return [_inlined(item, definitions) for item in schema] if isinstance(schema, list) else schema


def _ecma(pattern: Any) -> Any:
    r"""Write a pattern as other languages read it; in those, `$` is the end, and not also what is before a last newline."""
    return pattern.replace(r"\Z", "$") if isinstance(pattern, str) else pattern


class Shelf:
    """Puts what a document has again and again into its components, each once, and refers to it."""

    def __init__(self) -> None:
        self.schemas: Schema = {}
        self.responses: Schema = {}

    def refusal(self, name: str, response: Schema) -> Schema:
        """Put an answer aside under a name that tells it from all others."""
        self.responses.setdefault(name, response)
        return {"$ref": f"#/components/responses/{name}"}

    def shelved(self, part: Any) -> Any:
        """Give a part of the document with its objects that have a title put aside.

        Two of one title that aren't the same stay where they are.
        """
        if isinstance(part, list):
            return [self.shelved(one) for one in part]
        if not isinstance(part, dict):
            return part
        found = {key: self.shelved(value) for key, value in part.items()}
        if found.get("type") != "object" or not isinstance(title := found.get("title"), str):
            return found
        return {"$ref": f"#/components/schemas/{title}"} if self.schemas.setdefault(title, found) == found else found
