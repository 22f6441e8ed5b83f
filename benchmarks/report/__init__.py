"""The report on a run: numbers from its rows, pictures, and a page of both. Nothing in it is written by hand."""

from benchmarks.report.pages import write_page, write_report

__all__ = ["write_page", "write_report"]
