"""A model as a folder, here and on the hub: written whole, and checked before anything in it is used."""
