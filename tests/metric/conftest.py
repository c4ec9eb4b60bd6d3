"""The metric as its users get it, and its modules as one package."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import evaluate
import pytest

METRICS = Path(__file__).resolve().parents[2] / "metrics"


@pytest.fixture(scope="session")
def load():
    """Load the metric from the clone: `load()` or `load("referring_single")`."""
    return lambda *config: evaluate.load(str(METRICS / "sarchat_bench"), *config)


@pytest.fixture
def bench(load):
    return load()


@pytest.fixture(scope="session")
def modules():
    """Import a module of the metric: `modules("reading")`.

    The folder is made a package by hand: on the path, the file sarchat_bench.py could answer to the same name.
    """
    package = ModuleType("sarchat_bench")
    package.__path__ = [str(METRICS / "sarchat_bench")]
    sys.modules["sarchat_bench"] = package
    return lambda name: importlib.import_module(f"sarchat_bench.{name}")


@pytest.fixture(scope="session")
def reader(modules):
    """Read answers in SARDet-100K's words and the paper's notation."""
    return modules("reading").Reader(modules("lexicon").Lexicon(), modules("boxes").NOTATIONS["paper"])
