"""Every page to open in a browser: one file each, which needs no network."""
