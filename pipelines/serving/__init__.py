"""What answers: documents from a file into predictions on disk."""
