"""Consortia: the grouping programme, its bounds, its search and its tables. Imports `problem`, `solve` and below."""
