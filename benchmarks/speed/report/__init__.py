"""The page on speed: numbers from the rows of a run, and their picture. Nothing in it is written by hand."""

from benchmarks.speed.report.page import markdown, write_page

__all__ = ["markdown", "write_page"]
