"""Equations in, programs out: parse, differentiate, store, and the readers that need no engine."""
