"""The parallel engine: a step that is linear in its states, found for all steps at once by scans over time."""
