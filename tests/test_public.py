"""What `import ostinato` offers, what it costs, and that the rooms know each other in one direction only."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ostinato

ROOT = Path(__file__).parents[1]
STUB = ast.parse(Path(ostinato.__file__).with_suffix(".pyi").read_text())
LISTED = [alias.name for node in ast.walk(STUB) if isinstance(node, ast.ImportFrom) for alias in node.names]
CLASSES = [getattr(ostinato, name) for name in LISTED if inspect.isclass(getattr(ostinato, name))]
MODULES = ["ostinato", *(m.name for m in pkgutil.walk_packages(ostinato.__path__, "ostinato."))]
HEAVY = {"accelerate", "datasets", "msgspec", "pyarrow", "rich", "tensorboard", "tokenizers", "tyro", "yaml"}


def loaded_after(code: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after running `code`."""
    script = f"{code}\nimport sys\nprint('\\n'.join(sorted({{m.partition('.')[0] for m in sys.modules}})))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_the_public_list_is_the_stubs_alphabetical():
    assert ostinato.__all__ == sorted([*LISTED, "__version__"])


def test_dir_shows_the_public_list():
    assert set(ostinato.__all__) <= {*dir(ostinato), "__version__"}


@pytest.mark.parametrize("name", LISTED)
def test_every_public_name_is_there_and_documented(name):
    thing = getattr(ostinato, name)
    if inspect.isclass(thing) or callable(thing) or inspect.ismodule(thing):
        assert (inspect.getdoc(thing) or "").strip()


@pytest.mark.parametrize("owner", CLASSES, ids=lambda c: c.__name__)
def test_every_public_method_is_documented(owner):
    own = [m for name, m in vars(owner).items() if not name.startswith("_") and callable(m) and name != "extra_repr"]
    assert [m.__qualname__ for m in own if not inspect.getdoc(m)] == []


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="No ostinato attribute Lstm"):
        ostinato.Lstm  # noqa: B018


def test_importing_the_package_imports_nothing_heavy():
    assert not loaded_after("import ostinato") & (HEAVY | {"torch", "numpy", "safetensors"})


def test_the_errors_need_no_torch():
    assert "torch" not in loaded_after("from ostinato import ConfigError, OstinatoError")


def test_cells_unrolling_and_layers_import_torch_numpy_and_safetensors_only():
    used = "\n".join(
        [
            "import torch, ostinato",
            "layer = ostinato.Recurrent('lstm', 3, 4, 2, bidirectional=True)",
            "layer(torch.zeros(5, 2, 3), lengths=torch.tensor([5, 0]))",
            "ostinato.nn.GRU(3, 4)(torch.zeros(5, 2, 3))",
            "ostinato.explain('gru', with_latex=True)",
            "ostinato.LanguageModel(7)(torch.zeros(3, 2, dtype=torch.int64))",
        ]
    )
    ours = loaded_after(used) - loaded_after("import torch")
    assert not ours & HEAVY
    third_party = {name for name in ours if name not in sys.stdlib_module_names and not name.startswith("_")}
    assert third_party <= {"ostinato", "lazy_loader", "numpy", "safetensors"} | loaded_after(
        "import torch, torch._dynamo"
    )


@pytest.mark.parametrize("name", MODULES)
def test_every_file_says_what_it_is_for(name):
    source = Path(importlib.util.find_spec(name).origin).read_text()
    assert ast.get_docstring(ast.parse(source))


def test_the_rooms_know_each_other_in_one_direction_only():
    command = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip("import-linter is not installed (pip install -e '.[dev]')")
    result = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def examples():
    """Return every docstring of the package that holds an example."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    names = [name for name in MODULES if not name.endswith("__main__")]
    found = [test for name in names for test in finder.find(importlib.import_module(name), name)]
    return [test for test in found if test.examples]


@pytest.mark.parametrize("example", examples(), ids=lambda test: test.name)
def test_the_examples_in_docstrings_print_what_they_say(example):
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=said.append)
    assert not said, "".join(said)
