"""How many boxes, or other elements of an answer, agree with the reference: counts of a maximum one-to-one matching.

All records of a run are matched at once, in arrays. A count does not depend on the order of boxes.
"""

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

THRESHOLDS = ((1, 4), (1, 2))
"""IoU 0.25 and 0.5, as fractions: for whole pixels the comparison is exact."""

_PAIRS_AT_ONCE = 1 << 18


def _reaches(predicted, reference, numerator, denominator):
    """Tell for pairs of boxes whether IoU >= numerator / denominator, without dividing."""
    shared, union = _shared_and_union(predicted, reference)
    return (shared > 0) & (shared * denominator >= union * numerator)


def _shared_and_union(one, other):
    """Give the areas of intersection and union of pairs of boxes, both (pairs, 4)."""
    sides = np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])
    shared = np.maximum(sides, 0).prod(axis=1)
    return shared, (one[:, 2:] - one[:, :2]).prod(axis=1) + (other[:, 2:] - other[:, :2]).prod(axis=1) - shared


def _slices(pairs, predicted_count):
    """Cut records into (first record, last record) ranges of bounded work; a record with too many stands alone."""
    first = 0
    total = 0
    for record, size in enumerate(pairs.tolist()):
        if record > first and total + size > _PAIRS_AT_ONCE:
            yield first, record
            first, total = record, 0
        total += size
    if predicted_count:
        yield first, len(pairs)


def match_boxes(predicted, predicted_counts, reference, reference_counts):
    """Count the matched boxes of every record at every threshold, an array (records, thresholds).

    `predicted` and `reference` are arrays (boxes, 4) in which the boxes of a record follow each other, as many as the
    counts, (records,), say.
    """
    matched = np.zeros((len(predicted_counts), len(THRESHOLDS)), dtype=np.int64)
    predicted_ends, reference_ends = np.cumsum(predicted_counts), np.cumsum(reference_counts)
    pairs = predicted_counts * reference_counts
    for first, last in _slices(pairs, len(predicted)):
        p0 = predicted_ends[first] - predicted_counts[first]
        r0 = reference_ends[first] - reference_counts[first]
        ours, theirs = predicted[p0 : predicted_ends[last - 1]], reference[r0 : reference_ends[last - 1]]
        if pairs[first:last].sum() > _PAIRS_AT_ONCE:  # then it is one record
            matched[first] = _match_many(ours, theirs)
            continue
        rows, columns = _pairs(predicted_counts[first:last], reference_counts[first:last])
        record_of_row = np.repeat(np.arange(first, last), predicted_counts[first:last])
        for position, threshold in enumerate(THRESHOLDS):
            reached = _reaches(ours[rows], theirs[columns], *threshold)
            if reached.any():
                found = _matched_rows(rows[reached], columns[reached], (len(ours), len(theirs)))
                matched[:, position] += np.bincount(record_of_row[found], minlength=len(matched))
    return matched


def _pairs(predicted_counts, reference_counts):
    """Number every pair of a predicted and a reference box of the same record, as rows and columns."""
    pairs = predicted_counts * reference_counts
    record = np.repeat(np.arange(len(pairs)), pairs)
    within = np.arange(len(record)) - (np.cumsum(pairs) - pairs)[record]
    width = reference_counts[record]
    rows = (np.cumsum(predicted_counts) - predicted_counts)[record] + within // width
    columns = (np.cumsum(reference_counts) - reference_counts)[record] + within % width
    return rows, columns


def _matched_rows(rows, columns, shape):
    """Find the rows that a maximum matching of a bipartite graph covers. The graph's parts need not be connected."""
    graph = csr_matrix((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=shape)
    partner = maximum_bipartite_matching(graph, perm_type="column")
    return np.flatnonzero(partner >= 0)


def _match_many(predicted, reference):
    """Count as `match_boxes` does for one record with a great many boxes, in bounded memory.

    A box said more often than there are references can match no more than those, so further copies are left out.
    """
    distinct, copies = np.unique(predicted, axis=0, return_counts=True)
    ours = np.repeat(distinct, np.minimum(copies, len(reference)), axis=0)
    step = max(1, _PAIRS_AT_ONCE // len(reference))
    edges = [([], []) for _ in THRESHOLDS]
    for start in range(0, len(ours), step):
        rows, columns = _pairs(np.array([len(ours[start : start + step])]), np.array([len(reference)]))
        for (all_rows, all_columns), threshold in zip(edges, THRESHOLDS, strict=True):
            reached = _reaches(ours[start + rows], reference[columns], *threshold)
            all_rows.append(start + rows[reached])
            all_columns.append(columns[reached])
    return [
        len(_matched_rows(np.concatenate(rows), np.concatenate(columns), (len(ours), len(reference))))
        for rows, columns in edges
    ]


def match_multisets(predicted, reference, records):
    """Count the elements that two multisets share, for every record: an array (records,).

    Each multiset is a list of (record, element, times) rows, with whole numbers throughout.
    """
    shared = np.zeros(records, dtype=np.int64)
    if not len(predicted) or not len(reference):
        return shared
    rows = np.concatenate([predicted, reference])
    keys, which = np.unique(rows[:, :2], axis=0, return_inverse=True)
    which = which.reshape(-1)
    ours = np.bincount(which[: len(predicted)], weights=predicted[:, 2], minlength=len(keys))
    theirs = np.bincount(which[len(predicted) :], weights=reference[:, 2], minlength=len(keys))
    np.add.at(shared, keys[:, 0], np.minimum(ours, theirs).astype(np.int64))
    return shared
