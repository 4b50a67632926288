"""An encoder trained on the user's own documents, before there is any label."""
