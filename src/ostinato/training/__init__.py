"""Training: one loop for every model, gradient methods over time, and the run folder that explains itself."""
