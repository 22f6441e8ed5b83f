"""Columns of shape (n,): numbers and ids, read, checked and broadcast once."""
