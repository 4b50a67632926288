"""Reads the pages that the project draws, for their tests."""

import functools
from html.parser import HTMLParser


class Reader(HTMLParser):
    """Collects tags with their attributes, and the text outside and inside of scripts and styles."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text, self.scripts, self.inside = [], [], [], []
        self.feed(page.replace(library(), "", 1))  # a megabyte that is always the same

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data):
        (self.scripts if self.inside else self.text).append(data)


@functools.cache
def library():
    """The plotting library as it stands in every page."""
    from bokeh.resources import Resources

    return Resources(mode="inline", components=["bokeh"]).render_js()
