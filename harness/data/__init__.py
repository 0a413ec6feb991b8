"""Rows of GLUE tasks, from whatever holds them."""
