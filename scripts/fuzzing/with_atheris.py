"""Runs one target under atheris (libFuzzer), in an environment that has atheris and need not have Home Assistant.

python -m scripts.fuzzing.with_atheris TARGET [arguments of libFuzzer]
"""

import importlib
import sys

import atheris  # type: ignore[import-untyped]

from .rooms import PACKAGE, open_rooms


def main() -> None:
    """Instrument our rooms and fuzz until libFuzzer ends the process."""
    name = sys.argv.pop(1)
    open_rooms()
    with atheris.instrument_imports(include=[PACKAGE]):
        targets = importlib.import_module("scripts.fuzzing.targets")
    atheris.Setup(sys.argv, targets.TARGETS[name].run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
