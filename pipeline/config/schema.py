"""JSON Schema both ways: the schema of the config for editors, and checkers for payloads.

The heavy imports wait for their first use: clients import this module, most of them for one function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pipeline import units
from pipeline.config.hints import format_size
from pipeline.policy import NAME_PATTERN

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

REFERENCE = {"type": "string", "pattern": r"^\$\{.*\}$"}
EXTENSION: dict[str, Any] = {"^x-": {}}
NOT_IN_PROFILES = ("version", "include", "profiles")
NULL = {"type": "null"}
_OF_A_KIND = (
    "type", "enum", "pattern", "minimum", "maximum", "items", "$ref",
)  # fmt: skip


def json_schema() -> dict[str, Any]:
    """The schema of the config file, in draft 7, as editors want it."""
    from pipeline.config.model import Config

    printed = Config.model_json_schema(by_alias=True)
    # $defs is not a word of draft 7, but the only name that pydantic's references use.
    blocks = printed.pop("$defs")
    # pydantic leaves a description out when the block that is referred to has the same one.
    about = {f"#/$defs/{name}": block["description"] for name, block in blocks.items()}
    definitions = {name: _block(block, about) for name, block in blocks.items()}
    top = _block(printed, about)
    laid_over = {name: key for name, key in top["properties"].items() if name not in NOT_IN_PROFILES}
    definitions["Profile"] = {
        "type": "object",
        "description": "What is laid over the file.",
        "additionalProperties": False,
        "properties": laid_over,
        "patternProperties": EXTENSION,
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **top,
        "title": "pipeline config",
        "$defs": definitions,
    }


def _block(block: dict[str, Any], about: dict[str, str]) -> dict[str, Any]:
    required = block.get("required", [])
    keys = {
        name: _key({"description": about.get(schema.get("$ref", "")), **schema}, required=name in required)
        for name, schema in block["properties"].items()
    }
    return {**block, "properties": keys, "patternProperties": EXTENSION}


def _key(schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    """A key as the file allows it: a variable for every scalar, null for whatever has a default."""
    kinds: list[dict[str, Any]] = []
    for kind in _kinds(schema):
        if kind not in kinds and kind != NULL:
            kinds.append(kind)
    if not required:
        kinds.append(NULL)
    about = {name: schema[name] for name in ("description", "x-reload")}
    if (default := _default(schema.get("default"), kinds)) is not None:
        about["default"] = default
    return {**about, **(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})}


def _default(default: Any, kinds: list[dict[str, Any]]) -> Any:
    """A default as the file would write it; that of a block is left to its own keys."""
    patterns = " ".join(kind.get("pattern", "") for kind in kinds)
    if isinstance(default, int) and "[smhdw]" in patterns:
        return units.words(default)
    if isinstance(default, int) and "KiB" in patterns:
        return format_size(default)
    return None if isinstance(default, dict) else default


def _kinds(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The kinds of values that a key takes, without what is said about the key itself."""
    for union in ("anyOf", "oneOf"):
        for one in schema.get(union, ()):
            yield from _kinds(one)
    kept = {name: value for name, value in schema.items() if name in _OF_A_KIND}
    for block in schema.get("patternProperties", {}).values():
        # Only a profile is a map without keys of its own: it has those of the whole file.
        value = {"$ref": "#/$defs/Profile"} if block == {"type": "object"} else block
        # Editors complete below additionalProperties, and pydantic prints the pattern of a name instead.
        kept["propertyNames"] = {"pattern": f"^{NAME_PATTERN}$"}
        kept["additionalProperties"] = {"anyOf": [value, NULL]}
    if kept:
        yield kept
    if "enum" in kept or kept.get("type") in ("integer", "number", "boolean"):
        yield REFERENCE


def payload_checker(schema: dict[str, Any]) -> Callable[[Any], str | None]:
    """A function that says what is wrong with a payload, naming the field, or None when it fits.

    Build it once for each schema: the building is what costs.
    """
    from jsonschema.exceptions import best_match

    validator = _validator(schema)

    def check(payload: Any) -> str | None:
        error = best_match(validator.iter_errors(payload))
        return None if error is None else f"{_field(error.absolute_path)}: {_reason(error)}"

    return check


def _field(path: Any) -> str:
    return ".".join(["data", *(str(step) for step in path)])


def _reason(error: Any) -> str:
    if error.validator == "required":
        return str(error.message)
    if error.validator in ("type", "enum", "const", "pattern", "format"):
        # jsonschema quotes the whole value, which may be long or private.
        return f"{_name_of(error.instance)} does not fit {error.validator} {_short(error.validator_value)}"
    return _short(error.message)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _name_of(value: Any) -> str:
    kinds = {dict: "an object", list: "an array", bool: "a boolean", type(None): "null", str: "this text"}
    return kinds.get(type(value), "this number")


def schema_problem(schema: Any) -> str | None:
    """Why `schema` cannot be used as a JSON Schema, or None."""
    from jsonschema.exceptions import SchemaError, UnknownType
    from referencing.exceptions import Unresolvable

    if not isinstance(schema, dict):
        return "a schema is a JSON object"
    try:
        validator = _validator(schema)
        type(validator).check_schema(schema)
        for reference in _references(schema):
            _resolver(schema).lookup(reference)
    except SchemaError as error:
        place = ".".join(str(step) for step in error.absolute_path)
        return _short(f"{place}: {error.message}" if place else error.message)
    except (Unresolvable, UnknownType) as error:
        return f"the reference {getattr(error, 'ref', error)!r} leads nowhere"
    return None


def _validator(schema: dict[str, Any]) -> Validator:
    import referencing
    from jsonschema.validators import Draft202012Validator, validator_for

    kind = validator_for(schema, default=Draft202012Validator)
    # An empty registry: without one, jsonschema would fetch references over the network.
    return kind(schema, registry=referencing.Registry(), format_checker=kind.FORMAT_CHECKER)


def _resolver(schema: dict[str, Any]) -> Any:
    import referencing
    from referencing.jsonschema import DRAFT202012

    resource: Any = referencing.Resource.from_contents(schema, default_specification=DRAFT202012)
    return referencing.Registry().with_resource(resource.id() or "", resource).resolver(resource.id() or "")


def _references(schema: Any) -> Iterator[str]:
    stack = [schema]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            stack.extend(value.values())
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
        elif isinstance(value, list):
            stack.extend(value)
