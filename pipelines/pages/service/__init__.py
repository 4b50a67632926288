"""The page of `coarsefine serve`: static files that ask the service, in English and in Chinese."""

from pipelines.pages.service.page import service_page

__all__ = ["service_page"]
