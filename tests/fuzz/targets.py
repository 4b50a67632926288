"""All targets, by name."""

from fuzz.of_configs import CONFIGS
from fuzz.of_edits import EDITS
from fuzz.of_taxonomies import TAXONOMIES

TARGETS = {target.name: target for target in (*TAXONOMIES, *CONFIGS, *EDITS)}
