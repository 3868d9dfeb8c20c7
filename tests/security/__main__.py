"""`python -m tests.security`: every hostile input, by class of attack. Exits with 1 when one gets through, or when fewer
were tried than there should be. Arguments go to pytest."""

from __future__ import annotations

import sys

import pytest

if __name__ == "__main__":
    own = ["-p", "tests.security.count", "-m", "security and not world", "-q", "--no-header"]
    sys.exit(min(pytest.main([*own, *sys.argv[1:]]), 1))
