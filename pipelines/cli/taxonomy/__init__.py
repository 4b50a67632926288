"""``coarsefine taxonomy``: label trees made, looked at, measured and edited."""
