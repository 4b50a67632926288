"""Whether a name can be one on the Hugging Face hub, and whether the hub answers: asked once, before a library asks."""

from pathlib import Path


def hub_refusal(name: str, *, kind: str = "model", file: str = "config.json") -> str | None:
    """Return why a name cannot be had from the hub; None where it may be had, or lies in the cache.

    Without a network huggingface_hub asks six times, with longer and longer breaks: half a minute for each file.

    Parameters
    ----------
    name
        ``name`` or ``owner/name``; no folder.
    kind
        ``model`` or ``dataset``.
    file
        One that such a repository has.
    """
    from huggingface_hub import constants, errors, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache

    names = (name,) if "/" in name else (name, f"sentence-transformers/{name}")  # which that library adds
    try:
        cached = [try_to_load_from_cache(one, file, repo_type=kind) for one in names]
    except errors.HFValidationError:
        return "there is no such folder, and no name on the hub is written so"
    if constants.HF_HUB_OFFLINE or any(isinstance(place, str) for place in cached):
        return None
    try:
        get_hf_file_metadata(hf_hub_url(name, file, repo_type=kind))
    except errors.HfHubHTTPError:
        return None  # it answers; what it says is for those who ask for more
    # Which library `HTTPError` is of depends on huggingface_hub's version.
    except (OSError, errors.HTTPError) as error:  # type: ignore[attr-defined]
        return f"there is no such folder, and the hub cannot be reached: {error}"
    return None


def is_dataset_cached(name: str, folder: Path | None) -> bool:
    """Whether the `datasets` library has kept something of a dataset, in its own cache or in a folder."""
    from datasets import config

    caches = [Path(config.HF_DATASETS_CACHE), *([] if folder is None else [folder])]
    return any((cache / name.replace("/", "___")).is_dir() for cache in caches)
