"""The program: command line, configuration, wiring, metrics endpoint."""

from importlib.metadata import version as _version

__version__ = _version("rasid")
