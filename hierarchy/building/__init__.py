"""Groups built from labels: within hard size limits, and with names that a person can read."""
