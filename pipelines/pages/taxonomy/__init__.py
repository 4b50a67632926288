"""The picture of a taxonomy: one page to open in a browser, which needs no network."""

from pipelines.pages.taxonomy.page import taxonomy_page

__all__ = ["taxonomy_page"]
