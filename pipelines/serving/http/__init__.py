"""The service: a model behind HTTP. No module here imports the web framework but where the application is made."""
