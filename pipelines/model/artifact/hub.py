"""Models on the Hugging Face hub: uploaded file by file as the manifest lists them, downloaded the same way.

A model is named by the folder that it lies in, or by its hub id ``org/name``, with ``@revision`` where a branch, tag or
commit is meant. Only JSON, YAML, safetensors and the vocabulary of a tokenizer ever come down; what else lies in a
repository (pickles, scripts) is left there.
"""

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from hierarchy.disk.manifests import MANIFEST
from hierarchy.disk.paths import local_path
from hierarchy.disk.whole_folders import put_back
from hierarchy.errors import ArtifactError, first_line
from pipelines.model.artifact.manifest import NAME, check_manifest, is_present, listed_files

Token: TypeAlias = str | bool | None
HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*(@[^@\s]+)?")
NAME_A_MODEL = "name the folder that `train` or save_pretrained wrote, or a model on the hub as org/name"


def local_folder(model: str | Path, *, revision: str | None = None, token: Token = None) -> Path:
    """Return the folder of a model, downloaded into the hub's cache where `model` is a hub id.

    Without network, or with ``HF_HUB_OFFLINE=1``, the cache is used as it stands.

    Parameters
    ----------
    model
        A folder, or ``org/name``, or ``org/name@revision``.
    revision
        Branch, tag or commit on the hub; None takes what stands behind ``@``, else ``main``.
    token
        Of the hub; None takes the one that this machine is logged in with.

    Raises
    ------
    ArtifactError
        There is no such folder and no such model, it cannot be reached, or it lists files that are not safe to load.
    """
    folder = local_path(model)
    put_back(folder)
    if is_present(folder) and folder.is_dir():
        if revision is not None:
            raise ArtifactError(f"{folder} is a folder, which has no revision {revision!r}: leave the revision out")
        return folder
    name = folder.as_posix() if isinstance(model, Path) else model
    if not HUB_ID.fullmatch(name):
        raise ArtifactError(f"no folder {model}: {NAME_A_MODEL}")
    from huggingface_hub import snapshot_download

    repo_id, _, named = name.partition("@")
    wanted = revision or named or None
    with _told(f"no folder {name}, and from the hub {repo_id} cannot be had", wanted):
        found = snapshot_download(repo_id, revision=wanted, token=token, allow_patterns=[MANIFEST])
        if not (Path(found) / MANIFEST).exists():
            raise ArtifactError(f"{name} on the hub is no model of coarsefine ({MANIFEST} is missing): {NAME_A_MODEL}")
        names = _safe(Path(found), name)
        # The folder bears the commit: both downloads are of one, whatever is pushed between them.
        return Path(snapshot_download(repo_id, revision=Path(found).name, token=token, allow_patterns=names))


def push_saved(save: Callable[[Path], None], repo_id: str, **how: Any) -> str:
    """Upload the model that `save` writes to a folder; the rest is as for `push_folder`."""
    with tempfile.TemporaryDirectory(prefix="coarsefine-") as above:
        folder = Path(above) / repo_id.rpartition("/")[2]
        save(folder)
        return push_folder(folder, repo_id, **how)


def push_folder(
    folder: Path,
    repo_id: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
    commit_message: str | None = None,
    token: Token = None,
) -> str:
    """Upload a model in one commit, in place of an earlier one; return the address of the commit.

    Parameters
    ----------
    folder
        As `save_pretrained` wrote it; only the files of its manifest are uploaded.
    repo_id
        ``org/name``; made where there is none.
    private
        Whether a new repository is private; None as the organisation has it, which mostly is public.
    revision
        Branch, made where there is none; None takes ``main``.
    commit_message
        None says the name of the model.
    token
        Of the hub, with write access; None takes the one that this machine is logged in with.

    Raises
    ------
    ArtifactError
        The folder is no whole model, the id is none, or the hub refuses or cannot be reached.
    """
    names = [*sorted(check_manifest(folder)), MANIFEST]
    if not HUB_ID.fullmatch(repo_id) or "@" in repo_id:
        raise ArtifactError(f"{repo_id!r} is no name on the hub: write org/name, and a branch as the revision")
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    with _told(f"{repo_id} cannot be pushed to", revision):
        api.create_repo(repo_id, private=private, exist_ok=True)
        if revision is not None:
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo_id,
            folder_path=folder,
            revision=revision,
            commit_message=commit_message or f"Model {folder.name}",
            allow_patterns=names,
            delete_patterns=_earlier(repo_id, revision, token),
        )
    return str(commit.commit_url)


def _earlier(repo_id: str, revision: str | None, token: Token) -> list[str]:
    """Files of the model that stands there already; none where there is none."""
    from huggingface_hub import snapshot_download

    found = Path(snapshot_download(repo_id, revision=revision, token=token, allow_patterns=[MANIFEST]))
    try:
        return [*filter(NAME.fullmatch, listed_files(found)), MANIFEST]  # another name could be a pattern for more
    except ArtifactError:
        return []


def _safe(folder: Path, name: str) -> list[str]:
    try:
        listed = listed_files(folder)
    except ArtifactError as error:
        raise ArtifactError(
            f"{MANIFEST} of {name} on the hub cannot be read: ask its owner to push it again"
        ) from error
    unsafe = [file for file in listed if not NAME.fullmatch(file)]
    if unsafe:
        raise ArtifactError(
            [f"{file} is no JSON, YAML or safetensors and is not downloaded: leave this model" for file in unsafe],
            where=f"{name} on the hub",
        )
    return [*listed, MANIFEST]


@contextmanager
def _told(what: str, revision: str | None) -> Iterator[None]:
    """Turn the hub's errors into one message with a remedy."""
    from huggingface_hub import errors

    try:
        yield
    except ArtifactError:
        raise
    # No network, or an upload that broke off; which library `HTTPError` is of depends on huggingface_hub's version.
    except (OSError, RuntimeError, ValueError, errors.HTTPError) as error:  # type: ignore[attr-defined]
        raise ArtifactError(f"{what}: {_why(error, revision)}") from error


def _why(error: Exception, revision: str | None) -> str:
    from huggingface_hub import errors

    for kind, why in (  # the first that fits: some are kinds of others
        (errors.RevisionNotFoundError, f"it has no revision {revision!r}: name a branch, tag or commit of its page"),
        (errors.GatedRepoError, "its owner grants access one by one: ask on its page, then log in (hf auth login)"),
        (
            errors.RepositoryNotFoundError,
            "there is none of that name, or it is private: check the name, and log in for a private one "
            "(hf auth login, or HF_TOKEN)",
        ),
        (
            errors.LocalEntryNotFoundError,
            "the hub cannot be reached, or HF_HUB_OFFLINE is set, and it is not in the cache: go online once, "
            "or copy the model's folder",
        ),
        (errors.OfflineModeIsEnabled, "HF_HUB_OFFLINE is set: unset it to reach the hub"),
    ):
        if isinstance(error, kind):
            return why
    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code
        if status in (401, 403):
            return "no access: log in with a token that may write there (hf auth login, or HF_TOKEN)"
        return f"the hub answers {status} ({first_line(error)}): try again later"
    if isinstance(error, ValueError):  # of the name, among others
        return first_line(error)
    return f"{first_line(error)}: check the network and the disk, and try again"
