"""The `redact:` of a queue: paths into a job whose values no page shows."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pipeline.config.fields import matching, refuse, shown

_STEP = r"(?:\*|[^\s.*]+)"
_PATTERN = rf"(?:data|result|progress)(?:\.{_STEP})*|error|logs"
LONGEST = 200


def _path(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST or not re.fullmatch(_PATTERN, value):
        refuse(
            "P319",
            f"{shown(value)} is no path into a job",
            "for instance data.card, data.items.*.email, result.token",
        )
    return str(value)


RedactPath = Annotated[str, matching(_path, _PATTERN, "a path into a job", "data.card")]
