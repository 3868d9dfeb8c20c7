"""Runs a command-line tool on uvloop: uv_main.py MODULE:FUNCTION ARGS..."""

import importlib
import sys
import warnings

import uvloop

warnings.simplefilter("ignore", DeprecationWarning)
uvloop.install()
module, _, function = sys.argv.pop(1).partition(":")
sys.exit(getattr(importlib.import_module(module), function)())
