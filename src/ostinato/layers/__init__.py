"""Recurrent layers: stacks and directions over any cell, and `torch.nn`'s own three."""
