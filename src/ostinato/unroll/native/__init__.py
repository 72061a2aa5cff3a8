"""The native engine: a cell's program as one C++ loop over time, compiled for this machine."""
