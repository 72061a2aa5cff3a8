"""From scores to text: how the next symbol is chosen. Knows a step function, never a model."""
