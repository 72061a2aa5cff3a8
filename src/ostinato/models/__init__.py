"""Models: one class for each shape of sequence problem."""
