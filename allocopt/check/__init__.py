"""The independent checker: what a run claims, worked out again by code that shares nothing with the models."""
