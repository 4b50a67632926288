"""Evidence: what in a document speaks for one label and against another."""
