"""What a light install lacks, and how a process is made to lack it."""

HEAVY = (
    "accelerate", "datasets", "huggingface_hub", "nncf", "pandas", "psutil", "pyarrow", "sentence_transformers",
    "torch", "transformers",
)  # fmt: skip
# As on a machine where none of them is installed: code to run before any other.
WITHOUT_THEM = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
"""
