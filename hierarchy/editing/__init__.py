"""Edits of a taxonomy, and of the YAML file that holds it.

`edits` has what can be done, on taxonomies; `patching` brings an edited one into the owner's file, where all that the
edit does not touch stays byte for byte. `draft` and `links` serve the first, `layout`, `series`, `fields` and `pieces`
the second.
"""
