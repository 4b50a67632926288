"""Files of labels: YAML, JSON and tables, read with all problems at once, and written."""
