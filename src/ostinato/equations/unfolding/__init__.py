"""Pictures of a step and of its unrolled form: a program as boxes and edges, laid out in columns, written as SVG."""
