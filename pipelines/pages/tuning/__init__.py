"""The trials as a page: one file to open in a browser, which needs no network."""

from pipelines.pages.tuning.page import tuning_page

__all__ = ["tuning_page"]
