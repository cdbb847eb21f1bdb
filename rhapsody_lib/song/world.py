"""The WORLD vocoder of the extra `vocal`, loaded past its package's opening lines."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType

from rhapsody_lib.errors import MissingExtraError


@cache
def world() -> ModuleType:
    """The compiled module `pyworld.pyworld`.

    Its package asks pkg_resources for its own version, which setuptools no longer has since version 82; all that it
    does else is to import this module.

    Raises:
        MissingExtraError: the extra `vocal` is not installed.
    """
    package = importlib.util.find_spec("pyworld")
    folder = Path(package.origin).parent if package and package.origin else None
    found = [folder / f"pyworld{end}" for end in EXTENSION_SUFFIXES if folder and (folder / f"pyworld{end}").is_file()]
    name = "pyworld.pyworld"
    spec = importlib.util.spec_from_file_location(name, found[0]) if found else None
    if spec is None or spec.loader is None:
        raise MissingExtraError(
            "'pyworld' is not installed. Install the extra that brings it: pip install 'rhapsody[vocal]'"
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
