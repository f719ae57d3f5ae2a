"""Compile, one solve, lexicographic stages, certificates. Rooms here import `problem`, `model` and `errors`."""
