"""Text as characters: what is seen of it, what it is like, and how it is written into other languages."""
