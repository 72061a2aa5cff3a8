"""What classifiers, taggers and forecasters share: the course of a run, its batches, its folder, its predictions."""
