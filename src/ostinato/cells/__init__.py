"""Cells: one step of a recurrent network, from its equations or as a plain module."""
