"""Wrappers: a cell around a cell, each a regulariser or a change that fits every recurrence."""
