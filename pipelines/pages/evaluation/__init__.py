"""The report as a page: one file to open in a browser, which needs no network."""

from pipelines.pages.evaluation.page import report_page, write_report

__all__ = ["report_page", "write_report"]
