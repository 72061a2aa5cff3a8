"""Pictures of what a model does, by matplotlib and without a display: the same numbers give the same bytes."""
