"""Fuzz the reader by hand: `pip install atheris numpy`, then `python tests/metric/fuzz_reading.py -max_total_time=300`.

Any exception, and any text that takes more than a second for its first ten thousand characters, is a finding.
"""

import sys
import time
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "metrics"))

with atheris.instrument_imports(include=["sarchat_bench"]):
    from sarchat_bench.boxes import NOTATIONS, box_array, to_floats
    from sarchat_bench.lexicon import TOKEN, Lexicon, tokenize
    from sarchat_bench.reading import Reader

READERS = [Reader(Lexicon(), notation) for notation in NOTATIONS.values()]


def read(data):
    provider = atheris.FuzzedDataProvider(data)
    reader = READERS[provider.ConsumeIntInRange(0, len(READERS) - 1)]
    text = provider.ConsumeUnicode(10_000)
    start = time.process_time()
    for name in ("identification", "classification", "places"):
        getattr(reader, name)(text)
    float(reader.counting(text)[0] or 0)  # scoring holds it as a float
    box_array(list(to_floats(reader.boxes(text))))
    assert tokenize(text.lower()) == TOKEN.findall(text.lower())
    assert time.process_time() - start < 1


if __name__ == "__main__":
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
