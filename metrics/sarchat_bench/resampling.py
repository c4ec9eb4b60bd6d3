"""How sure a figure is: bootstrap intervals, and the paired bootstrap test for the difference of two models.

Records are drawn with replacement within each subset, so that every subset keeps its size. All that a record adds to
the columns goes along with it, which keeps what its columns have in common, and, in the paired test, what two models
have in common. Records that add the same are drawn as a group by a multinomial: the result has the distribution of
drawing them one by one.
"""

import numpy as np

from .scoring import figures

_CELLS_AT_ONCE = 1 << 22


def _draw(rows, samples, generator):
    """Sum the rows of resampled records: rows (records, numbers) gives sums (samples, numbers)."""
    distinct, times = np.unique(rows, axis=0, return_counts=True)
    sums = np.empty((samples, rows.shape[1]))
    step = max(1, _CELLS_AT_ONCE // len(distinct))
    for first in range(0, samples, step):
        last = min(first + step, samples)
        weights = generator.multinomial(len(rows), times / len(rows), size=last - first)
        sums[first:last] = weights @ distinct.astype(np.float64)
    return sums


def resample(verdicts, samples, seed):
    """Draw bootstrap samples for one model, or for several over the same records.

    verdicts: for each model its `Judged` by subset. Returns for each model the sums of every column as an array
    (samples, 3); the same draw serves all models.
    """
    generator = np.random.default_rng(seed)
    totals = [{} for _ in verdicts]
    for subset in verdicts[0]:
        parts = [verdict[subset].columns for verdict in verdicts]
        rows = np.concatenate([counts for columns in parts for counts in columns.values()], axis=1)
        sums = _draw(rows, samples, generator)
        first = 0
        for total, columns in zip(totals, parts, strict=True):
            for column in columns:
                total[column] = total.get(column, 0) + sums[:, first : first + 3]
                first += 3
    return totals


def intervals(subsets, judged, records, confidence, samples, seed):
    """Give for every key the percentile interval (low, high) of its bootstrap distribution, None if there is none."""
    (sums,) = resample([judged], samples, seed)
    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    result = {}
    for key, values in figures(subsets, sums, records).items():
        values = values[~np.isnan(values)]
        result[key] = tuple(np.quantile(values, tails).tolist()) if len(values) else None
    return result


def p_values(subsets, judged_a, judged_b, records, differences, samples, seed):
    """Give for every key the two-sided p-value of its difference a - b: the paired bootstrap test.

    The differences of the samples, less their mean, show how much a difference strays by chance. p is the share of
    samples that stray at least as far as the observed difference, counting the observation itself as one: (1 + n) /
    (1 + samples). This is the test of sacrebleu's --paired-bs (Koehn 2004, two-sided). None where there is no
    difference to test.
    """
    sums_a, sums_b = resample([judged_a, judged_b], samples, seed)
    drawn_a, drawn_b = figures(subsets, sums_a, records), figures(subsets, sums_b, records)
    result = {}
    for key, observed in differences.items():
        drawn = drawn_a[key] - drawn_b[key]
        drawn = drawn[~np.isnan(drawn)]
        if observed is None or not len(drawn):
            result[key] = None
        else:
            # A hair of tolerance: two identical models differ by nothing, and by rounding alone nothing should count.
            strays = np.abs(drawn - drawn.mean()) >= abs(observed) - 1e-9
            result[key] = float((1 + strays.sum()) / (1 + len(drawn)))
    return result
