"""The kinds of values that a config holds: how each is read, bounded, and described to an editor.

Every refusal is a PydanticCustomError whose type is a finding's code and whose context holds the help.
Text that a variable went into (`Text`) is read by its target: "50" is a number for a number field.
"""

from __future__ import annotations

import builtins
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NoReturn
from zoneinfo import available_timezones

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import no_info_plain_validator_function

from pipeline import address, broker, units
from pipeline.config.hints import duration_help, format_size, size_help
from pipeline.config.suggest import did_you_mean, near
from pipeline.config.tree import Text
from pipeline.policy import NAME_PATTERN
from pipeline.schedule import moment, problem_of, zone

LONGEST = 100 * 365 * 86_400_000
LARGEST = 512 * 2**20
MOST_MEMORY = 2**40
_FIRST_MOMENT, _LAST_MOMENT = 0, 8_000 * 365 * 86_400_000
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_WORDS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_IMPORT = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*"
_FIELD = r"\{(?:name|queue|hash|data(?:\.[\w-]+)+)\??\}"
_TEMPLATE = re.compile(rf"(?:[^{{}}]|{_FIELD})+")
_DURATION_PATTERN = units.DURATION.pattern.replace(r"\d", "[0-9]")
_SIZE_PATTERN = units.SIZE.pattern.replace(r"\d", "[0-9]")
_DURABILITIES = ("everysec", "fsync", "{replicas: 1}")
EXECUTORS = ("auto", "async", "thread", "process")
_SCHEMES = ", ".join(f"{scheme}://" for scheme in broker.WAYS)
_BROKERS = {
    "one": "for instance redis://localhost:6379/0",
    "sentinel": "for instance redis+sentinel://sentinel-1:26379,sentinel-2:26379/mymaster",
    "cluster": "for instance redis+cluster://node-1:6379,node-2:6379",
}
_ERRORS = [
    name
    for name, what in vars(builtins).items()
    if isinstance(what, type) and issubclass(what, BaseException)
]


def refuse(code: str, message: str, help: str = "") -> NoReturn:
    # The message goes in as a context value: pydantic would read braces in a template as fields.
    raise PydanticCustomError("finding", "{message}", {"code": code, "message": message, "help": help})


def shown(value: Any) -> str:
    """`value` for a message: as it stands in the file, never what a variable held."""
    if isinstance(value, Text):
        return f"'{value.source}'"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, dict | tuple):
        return "a map" if isinstance(value, dict) else "a list"
    text = str(value)
    return f"'{text[:60]}…'" if len(text) > 60 else f"'{text}'"


def _hidden(value: str, help: Callable[[str], str]) -> str:
    """Help that is made from the value, unless a variable holds it."""
    return help("" if isinstance(value, Text) else value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        # Out goes plain text: what a variable held is a value like any other from here on.
        return str(value)
    if isinstance(value, dict | tuple) or value is None:
        refuse("P103", f"this must be text, not {shown(value)}")
    refuse("P103", f"this must be text, and {shown(value)} without quotes is not", "put it in quotes")


def _map(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        refuse("P103", f"this must be a map of keys, not {shown(value)}")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, Text) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    digits = str(value).replace("_", "") if isinstance(value, str) and not isinstance(value, Text) else ""
    help = f"write {digits}, without quotes" if _WHOLE.fullmatch(digits) else ""
    refuse("P103", f"this must be a whole number, and {shown(value)} is not", help)


def _fraction(value: Any) -> float:
    if isinstance(value, Text) and _DECIMAL.fullmatch(value.strip()):
        value = float(value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        refuse("P103", f"this must be a number, and {shown(value)} is not")
    if not 0 <= value <= 1:
        refuse("P107", "this must lie between 0 and 1", "0.2 is a fifth")
    return float(value)


def _flag(value: Any) -> bool:
    if isinstance(value, Text) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if isinstance(value, bool):
        return value
    word = _WORDS.get(str(value).lower()) if not isinstance(value, Text) else None
    if word:
        refuse("P110", f"{shown(value)} is text in YAML 1.2, not a boolean", f"use {word}")
    refuse("P103", f"this must be true or false, not {shown(value)}")


def _durability(value: Any) -> str:
    if value in ("everysec", "fsync"):
        return str(value)
    refuse("P104", f"{shown(value)} is not possible here", did_you_mean(str(value), _DURABILITIES))


def _executor(value: Any) -> str:
    if isinstance(value, str) and value in EXECUTORS:
        return str(value)
    refuse(
        "P104",
        f"{shown(value)} is not possible here",
        _hidden(str(value), lambda word: did_you_mean(word, EXECUTORS)),
    )


def _duration(value: Any) -> int:
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    try:
        ms = units.milliseconds(text) if isinstance(text, str) and len(text) <= 64 else None
    except ValueError:
        ms = None
    if ms is None:
        help = _hidden(text if isinstance(text, str) else "", duration_help)
        refuse("P105", f"{shown(value)} is not a duration", help)
    if ms > LONGEST:
        refuse("P107", "this is longer than 100 years")
    return ms


def _positive(value: Any) -> int:
    ms = _duration(value)
    if ms <= 0:
        refuse("P107", "this must be longer than zero")
    return ms


def _bytes(value: Any, largest: int) -> int:
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    try:
        size = units.size_bytes(text) if isinstance(text, str) and len(text) <= 64 else None
    except ValueError:
        size = None
    if size is None:
        help = _hidden(text if isinstance(text, str) else "", size_help)
        refuse("P106", f"{shown(value)} is not a size", help)
    if not 0 < size <= largest:
        refuse("P107", f"this must lie between 1B and {format_size(largest)}")
    return size


def _size(value: Any) -> int:
    return _bytes(value, LARGEST)


def _memory(value: Any) -> int:
    return _bytes(value, MOST_MEMORY)


def _name(value: Any) -> str:
    text = _text(value)
    if not re.fullmatch(NAME_PATTERN, text):
        usable = re.sub(r"[^a-z0-9_.-]+", "-", text.lower()).lstrip("_.-")[:64]
        help = f"'{usable}' would do" if usable and not isinstance(value, Text) else ""
        if "${" in text and not isinstance(value, Text):
            help = "variables work in values, not in names"
        refuse("P108", f"{shown(value)} cannot be a name: a-z, 0-9, '_', '.', '-', 64 characters", help)
    return text


def _handler(value: Any) -> str:
    text = _text(value)
    if not re.fullmatch(_IMPORT, text):
        module, _, function = text.rpartition(".")
        meant = f"{module}:{function}"
        usable = ":" not in text and re.fullmatch(_IMPORT, meant) and not isinstance(value, Text)
        help = f"did you mean '{meant}'?" if usable else "for instance handlers.emails:send"
        refuse("P111", f"{shown(value)} is not of the form package.module:function", help)
    return text


def _error_class(value: Any) -> str:
    text = _text(value)
    if text in _ERRORS or re.fullmatch(_IMPORT, text):
        return text
    help = did_you_mean(text, _ERRORS) if ":" not in text and not isinstance(value, Text) else ""
    message = f"{shown(value)} is neither a built-in exception nor of the form package.module:Class"
    refuse("P111", message, help)


def _template(value: Any) -> str:
    text = _text(value)
    if not _TEMPLATE.fullmatch(text):
        help = 'fields are {data.order.id}, {name}, {queue} and {hash}; "?" before the brace allows it to be missing'
        refuse("P114", f"{shown(value)} is not a template", help)
    return text


def _cron(value: Any) -> str:
    text = _text(value).strip()
    if (problem := problem_of(text)) is not None:
        help = 'for instance "15 2 * * *": minute, hour, day of the month, month, day of the week'
        refuse("P121", f"{shown(value)} is no cron expression: {problem}", help)
    return text


def _zone(value: Any) -> str:
    text = _text(value)
    try:
        zone(text)
    except (ValueError, OSError):
        help = _hidden(text, _near_zone) or "for instance Europe/Paris, or UTC"
        refuse("P122", f"there is no time zone {shown(value)}", help)
    return text


def _near_zone(text: str) -> str:
    """What was most likely meant, also without its continent."""
    known = sorted(available_timezones())
    alike = [name for name in known if name[:2].lower() == text[:2].lower()]
    inside = (name for name in known if name.lower().endswith(f"/{text.lower()}"))
    meant = near(text, alike) or next(inside, None)
    return f"did you mean '{meant}'?" if meant else ""


def _moment(value: Any) -> str:
    text = _text(value)
    try:
        inside = _FIRST_MOMENT <= moment(text, "UTC") <= _LAST_MOMENT
    except (ValueError, OverflowError):
        inside = False
    if not inside:
        help = "for instance 2030-06-01, 2030-06-01T08:00 (in `timezone`) or 2030-06-01T08:00:00+02:00"
        refuse("P123", f"{shown(value)} is no date or time from 1970 on", help)
    return text


def _payload(value: Any) -> Any:
    """JSON, as the handler gets it."""
    if isinstance(value, dict):
        return {str(name): _payload(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_payload(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        refuse("P103", f"JSON has no {shown(value)}", "put it in quotes")
    return str(value) if isinstance(value, str) else value


def _broker_url(value: Any) -> str:
    text = _text(value)
    if text == "embedded":
        return text
    scheme, separator, _ = text.partition("://")
    if not separator or scheme not in broker.WAYS:
        refuse("P112", "this is no address of a broker", f"use embedded, or one of {_SCHEMES}")
    try:
        broker.parse(text)
    except ValueError as error:
        refuse("P112", f"this address cannot be read: {error}", _BROKERS[broker.WAYS[scheme]])
    return text


def _receiver(value: Any) -> str:
    text = _text(value)
    try:
        address.split(text)
    except address.Forbidden as error:
        refuse(
            "P130", f"this address cannot be used: {error}", "for instance https://hooks.example.com/T0/B0"
        )
    return text


@dataclass(frozen=True, eq=False)
class Kind:
    """How pydantic reads a value of this kind, and what an editor is told about it."""

    read: Callable[[Any], Any]
    schema: dict[str, Any]
    words: str
    """What such a value is, for people."""
    example: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, core: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(self.schema)


def whole(low: int, high: int = 1_000_000) -> Kind:
    """A whole number from `low` to `high`."""

    def read(value: Any) -> int:
        number = _whole(value)
        if not low <= number <= high:
            bound = f"at least {low:,}" if number < low else f"at most {high:,}"
            refuse("P107", f"this must be {bound}")
        return number

    words = f"a whole number from {low:,} to {high:,}"
    return Kind(
        read, {"type": "integer", "minimum": low, "maximum": high}, words, str(min(max(low, 5), high))
    )


def lasting(low: int, high: int) -> Kind:
    """A duration from `low` to `high` ms."""

    def read(value: Any) -> int:
        ms = _duration(value)
        if not low <= ms <= high:
            refuse("P107", f"this must lie between {units.words(low)} and {units.words(high)}")
        return ms

    words = f"a duration from {units.words(low)} to {units.words(high)}"
    return matching(read, _DURATION_PATTERN, words, "5s")


def matching(read: Callable[[Any], Any], pattern: str, words: str, example: str) -> Kind:
    """Text that `read` understands; a reference to a variable may stand in it."""
    return Kind(read, {"type": "string", "pattern": rf"^(?:{pattern})$|\$\{{"}, words, example)


Flag = Annotated[bool, Kind(_flag, {"type": "boolean"}, "true or false", "true")]
Fraction = Annotated[
    float, Kind(_fraction, {"type": "number", "minimum": 0, "maximum": 1}, "a number from 0 to 1", "0.2")
]
Pause = Annotated[int, matching(_duration, _DURATION_PATTERN, "a duration, 0s included", "2s")]
Duration = Annotated[int, matching(_positive, _DURATION_PATTERN, "a duration", "30s")]
Size = Annotated[int, matching(_size, _SIZE_PATTERN, "a size up to 512MiB", "512KiB")]
Memory = Annotated[int, matching(_memory, _SIZE_PATTERN, "a size", "512MiB")]
Name = Annotated[str, matching(_name, NAME_PATTERN, "a name", "shop")]
HandlerPath = Annotated[str, matching(_handler, _IMPORT, "package.module:function", "handlers.emails:send")]
ErrorClass = Annotated[
    str, matching(_error_class, rf"[A-Za-z_]\w*|{_IMPORT}", "an exception", "handlers.errors:GatewayBusy")
]
Template = Annotated[str, matching(_template, _TEMPLATE.pattern, "a template", '"{data.charge}"')]
BrokerUrl = Annotated[
    str, matching(_broker_url, r"embedded|rediss?://.+|unix://.+", "an address", "redis://localhost:6379/0")
]
ReceiverUrl = Annotated[
    str, matching(_receiver, "https?://.+", "an address", "https://hooks.example.com/T0/B0")
]
DurabilityWord = Annotated[
    Literal["everysec", "fsync"],
    Kind(_durability, {"enum": ["everysec", "fsync"], "type": "string"}, "everysec, fsync", "fsync"),
]
ExecutorWord = Annotated[
    Literal["auto", "async", "thread", "process"],
    Kind(_executor, {"enum": list(EXECUTORS), "type": "string"}, f"one of {', '.join(EXECUTORS)}", "process"),
]
PlainText = Annotated[str, matching(_text, ".+", "text", "standard")]
Cron = Annotated[
    str, matching(_cron, r"@[a-z]+|\s*\S+(?:\s+\S+){4}\s*", "a cron expression of 5 fields", '"15 2 * * *"')
]
Zone = Annotated[str, matching(_zone, r"[A-Za-z0-9_+/-]+", "a time zone", "Europe/Paris")]
Moment = Annotated[
    str, matching(_moment, r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}.*", "a date or a time", "2030-06-01T08:00")
]
Payload = Annotated[Any, Kind(_payload, {}, "any JSON", "{mode: full}")]
PolicyName = Annotated[str, matching(_text, ".+", "the name of a policy", "standard")]
# What stands in a profile is checked where it is laid over the file.
Profile = Annotated[dict[str, Any], Kind(_map, {"type": "object"}, "a map of keys", "{queues: {}}")]
