"""All targets, by name."""

from fuzz.of_answers import ANSWERS
from fuzz.of_arguments import ARGUMENTS
from fuzz.of_configs import CONFIGS
from fuzz.of_documents import DOCUMENTS
from fuzz.of_edit_files import EDIT_FILES
from fuzz.of_edits import EDITS
from fuzz.of_escapes import ESCAPES
from fuzz.of_models import MODELS
from fuzz.of_pages import PAGES
from fuzz.of_runs import RUNS
from fuzz.of_taxonomies import TAXONOMIES
from fuzz.of_texts import TEXTS_ANSWERED

ALL = (
    *TAXONOMIES, *CONFIGS, *EDITS, *EDIT_FILES, *DOCUMENTS, *TEXTS_ANSWERED, *MODELS, *ANSWERS, *RUNS, *PAGES, *ESCAPES,
    *ARGUMENTS,
)  # fmt: skip
TARGETS = {target.name: target for target in ALL}
