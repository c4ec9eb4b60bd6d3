"""The page's modules are siblings of app.py, which finds them because its folder is the first place Python looks in."""

import sys
from pathlib import Path

METRIC = Path(__file__).parents[2] / "metrics" / "sarchat_bench"
sys.path.insert(0, str(METRIC))
