"""All targets, by name."""

from fuzz.of_configs import CONFIGS
from fuzz.of_documents import DOCUMENTS
from fuzz.of_edits import EDITS
from fuzz.of_models import MODELS
from fuzz.of_taxonomies import TAXONOMIES
from fuzz.of_texts import TEXTS_ANSWERED

TARGETS = {target.name: target for target in (*TAXONOMIES, *CONFIGS, *EDITS, *DOCUMENTS, *TEXTS_ANSWERED, *MODELS)}
