"""The version, in one place: the package, its runs and its command line read it here."""

__version__ = "0.1.0"
