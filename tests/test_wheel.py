"""The built wheel in a fresh environment, beside a project that has folders of the same names as ours."""

import subprocess
import sys
from pathlib import Path

import pytest
from examples import ROOT

SCRIPT = "from coarsefine import HierarchicalClassifier\nprint(HierarchicalClassifier(encoder='none').encoder)\n"
TYPED = """from collections.abc import Sequence

from coarsefine import CoarsefineError, HierarchicalClassifier, Prediction, Taxonomy, TaxonomyBuilder


def trained(texts: Sequence[str], labels: Sequence[str]) -> HierarchicalClassifier:
    taxonomy = TaxonomyBuilder(n_groups="auto").build(Taxonomy.from_yaml("taxonomy.yaml"))
    return HierarchicalClassifier(taxonomy, encoder="none", trainable="frozen").fit(texts, labels)


def answers(classifier: HierarchicalClassifier, texts: Sequence[str]) -> list[Prediction]:
    try:
        return [paths[0] for paths in classifier.predict_paths(texts, top_k=1)]
    except CoarsefineError:
        return []


for answer in answers(trained(["a"], ["b"]), ["c"]):
    print(answer.probability + 1.0)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Build the wheel and install it into an environment of its own; what it needs comes from the present one."""
    pytest.importorskip("hatchling", reason="builds the wheel: pip install hatchling")
    pytest.importorskip("pip", reason="installs the wheel")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    (wheel,) = folder.glob("*.whl")
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--quiet", wheel]
    subprocess.run(install, check=True)
    (site,) = folder.glob("venv/lib/python*/site-packages")
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    (site / "libraries.pth").write_text("\n".join(libraries), encoding="utf-8")
    return python


@pytest.fixture
def project(tmp_path):
    """Lay out the folder of a user whose own code is called `pipelines`."""
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "__init__.py").write_text("raise RuntimeError('not ours')\n", encoding="utf-8")
    (tmp_path / "configs").mkdir()
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    return tmp_path


def run(*command, folder):
    return subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True)


def test_the_command_works_beside_another_pipelines(installed, project):
    (project / "tree.yaml").write_text("Kitchen: [kettles, toasters]\n", encoding="utf-8")
    done = run(installed.parent / "coarsefine", "taxonomy", "show", "tree.yaml", folder=project)
    assert done.returncode == 0, done.stderr
    assert "kettles" in done.stdout


def test_an_import_beside_another_pipelines_names_it(installed, project):
    done = run(installed, "script.py", folder=project)
    assert done.returncode == 1
    assert done.stderr.count("Error: ") == 1
    assert f"ImportError: {project / 'pipelines'} stands in front of the package 'pipelines'" in done.stderr
    assert f"rename it, run Python from elsewhere, or put {project} behind" in done.stderr
    done = run(installed, "-m", "coarsefine", "--help", folder=project)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"coarsefine: {project / 'pipelines'} stands in front of" in done.stderr


def test_an_import_from_elsewhere_works(installed, project):
    (project / "elsewhere").mkdir()
    (project / "script.py").rename(project / "elsewhere" / "script.py")
    done = run(installed, project / "elsewhere" / "script.py", folder=project)  # the script's folder is on the path
    assert (done.returncode, done.stdout) == (0, "none\n"), done.stderr
    done = run(installed, "-m", "coarsefine", "--version", folder=project / "elsewhere")
    assert done.stdout.startswith("coarsefine "), done.stderr


def test_the_configs_are_those_of_the_wheel(installed, project):
    (project / "elsewhere").mkdir()
    code = "from pipelines.demo.corpus import write_demo_corpus; print(write_demo_corpus('demo', 'zh').taxonomy)"
    done = run(installed, "-c", code, folder=project / "elsewhere")
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).parts[-4:] == ("coarsefine", "configs", "demo", "taxonomy_zh.yaml")
    assert (project / "elsewhere" / "demo" / "train.jsonl").stat().st_size


def test_every_package_of_the_wheel_is_typed(installed):
    (site,) = installed.parents[1].glob("lib/python*/site-packages")
    ours = {path.parent.name for path in site.glob("*/__init__.py")}
    assert (
        ours
        == {path.parent.name for path in site.glob("*/py.typed")}
        == {"coarsefine", "hierarchy", "pipelines", "stages"}
    )


@pytest.mark.slow
def test_a_type_checker_sees_the_types(installed, tmp_path):
    def checked(code):
        (tmp_path / "script.py").write_text(code, encoding="utf-8")
        return run(
            sys.executable, "-m", "mypy", "--strict", "--python-executable", installed, "script.py", folder=tmp_path
        )

    done = checked(TYPED)
    assert done.returncode == 0, done.stdout
    done = checked(TYPED.replace("encoder=", "encodr=").replace("probability + 1.0", "probability + 'a'"))
    assert 'error: Unexpected keyword argument "encodr" for "HierarchicalClassifier"' in done.stdout
    assert "error: Unsupported operand types for + " in done.stdout
    assert "Found 2 errors" in done.stdout


@pytest.mark.slow
def test_a_type_checker_sees_the_values_of_a_setting(installed, tmp_path):
    (tmp_path / "script.py").write_text(TYPED.replace('"frozen"', '"frozn"'), encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", installed, "script.py"]
    done = run(*command, folder=tmp_path)
    assert 'error: Argument "trainable" to "HierarchicalClassifier" has incompatible type' in done.stdout
