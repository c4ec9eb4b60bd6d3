"""From an answer's text to what it says: one method of `Reader` per task.

The way of a text: `answer_part` finds the answer in it (no reasoning, lower case), `boxes.split_boxes` takes the boxes
out, `lexicon.Lexicon.scan` finds the words that mean something, and the grammar below puts them together. Every step
goes through the text once.

Decisions that the paper leaves open:
- What stands in a reasoning block (`<think>…</think>`, also one that never ends or whose beginning the chat template
  swallowed) is not read. Where `<answer>`, `\\boxed{`, "final answer" or "answer:" stands, only what follows the last
  of them is. A sentence with a question mark is an echoed question and says nothing, unless nothing else is there.
- A category is negated by "no", "not a", "without", "neither … nor" and the like in front of it, through a list ("no
  ships, cars or tanks"), or by "are not visible", ": none", ": false" behind it.
- A list of candidates is an echo if it stands behind "candidate", "options", "choices" or the like, or if it names the
  whole vocabulary (three categories or more) and others are named outside of it. A list of the whole vocabulary that is
  all there is counts as the answer, unless introduced as candidates.
- Identification takes the first category that is not a mere surrounding ("near the harbor"). "A ship or a tank" names
  two, which is a wrong answer. Its size is the one in front of the category, else the next one behind it.
- Counting takes a number announced as the answer or total, else the first number that counts something ("3 ships",
  "there are 3"), else the first number that is no unit, coordinate or list mark, else zero if a thing is said not to be
  there, else one for "a ship". "3 to 5" is no number.
- A region says where a thing is unless it is a direction between things ("left of the harbor", "from left to right").
  "3 ships in the top left" are three pairs. More than 30 in one region, "mostly in" it, or several regions for one
  number are an abstract position: a pair for each region.
- A sentence that only says "one is in the top left", "they …", or a list item of a region, speaks of the category named
  before. In front of a colon, a region that single members follow is no pair of its own.
"""

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from .boxes import split_boxes
from .lexicon import (
    BOX,
    BREAK,
    BULLET_MARK,
    CATEGORY,
    COLON,
    DIRECTION,
    DISTANCE,
    LINE_MARK,
    NEGATION,
    NUMBER,
    NUMBER_WORDS,
    REFERENCE,
    REGION,
    SHAPE,
    SIZE,
    STOP,
    TURN,
    tokenize,
)

MOST_IN_ONE_REGION = 30
"""More than that many things for a region are an abstract position: so the dataset tells scenes too dense for boxes."""


def _words(text):
    return frozenset(text.split())


class Places(NamedTuple):
    """What a description or a grounding answer says."""

    pairs: list
    """(category, region, how many)"""
    sizes: list
    """(category, size, how many)"""
    boxed: set
    """The categories that boxes were given for."""
    relations: list
    """(category, category, value): the two in rising order; 0 or 1 for close or far, 2 to 4 for DIRECTIONS."""


# ---------------------------------------------------------------------------------------------------------------------
# The answer in the text
# ---------------------------------------------------------------------------------------------------------------------

_THOUGHT = r"(?:think|thinking|thought|thoughts|reasoning|reflection|analysis|scratchpad)"
_MAY_BE_THOUGHT = ("think", "thought", "reasoning", "reflection", "analysis", "scratchpad", "<|channel|>")
_THOUGHT_BEGINS = re.compile(rf"[<\[◁]\|?{_THOUGHT}\|?[>\]▷]")
_THOUGHT_ENDS = re.compile(rf"[<\[◁]\|?/\|?{_THOUGHT}\|?[>\]▷]")
_ANNOUNCED = re.compile(r"\b(?:final answer|answer)\b[\s*_`\"']{0,9}(?:[:=]|is\b)|\bfinal answer\b|\\boxed\{|<answer>")
_BULLET = re.compile(r"(?:^|(?<=\n))[ \t]{0,40}(?:[-*+•·]|\(?\d{1,3}[.)])[ \t]{1,40}(?=\S)")
_WRAPPED = re.compile(r"(?<=[^\s.:;!?])\n(?=[a-z])")
_MARKS = str.maketrans(
    {
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("‘’‛′´`", "'"),
        "×": "x",
        "。": ".",
        "、": ",",
        "\x00": " ",
        "\x01": " ",
        "\x02": " ",
    }
)


def answer_part(text):
    """Find the answer in a text: lower case, without reasoning, from the last announcement of an answer on.

    >>> answer_part("<think>Is it a tank?</think> Answer: **Ship**")
    ' **ship**'
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_MARKS)
    elif "\x00" in text or "\x01" in text or "\x02" in text:
        text = text.translate(_MARKS)
    if "\n" in text:
        text = _WRAPPED.sub(" ", text)
    text = text.lower()
    if ("<" in text or "[" in text or "◁" in text) and any(map(text.__contains__, _MAY_BE_THOUGHT)):
        text = _without_thoughts(text)
    if "answer" in text or "boxed" in text:
        announced = None
        for announced in _ANNOUNCED.finditer(text):  # noqa: B007  (the last one is meant)
            pass
        if announced is not None:
            rest = text[announced.end() :].partition("</answer>")[0]
            if any(map(str.isalnum, rest)):
                return rest
    return text


def _without_thoughts(text):
    final = text.rfind("<|channel|>final<|message|>")
    if final >= 0:
        return text[final + 27 :]
    end = None
    for end in _THOUGHT_ENDS.finditer(text):  # noqa: B007
        pass
    begin = _THOUGHT_BEGINS.search(text, end.end() if end else 0)
    after = text[end.end() if end else 0 : begin.start() if begin else None]
    if end is None or any(map(str.isalnum, after)):
        return after
    begin = _THOUGHT_BEGINS.search(text)
    return text[: begin.start()] if begin else ""


def tokens_of(text):
    """Split an answer into words, numbers and marks."""
    if "\n" in text or text[:1] in "-*+•·(0123456789":
        text = _BULLET.sub(f" {BULLET_MARK} ", text).replace("\n", f" {LINE_MARK} ")
    return tokenize(text)


# ---------------------------------------------------------------------------------------------------------------------
# Regions
# ---------------------------------------------------------------------------------------------------------------------

_IMAGE_WORDS = _words(
    "image images picture scene frame figure photo photograph view map scan tile patch grid screen canvas imagery shot "
    "display panel crop window sar radar satellite chip plot raster snapshot"
)
_REGION_NOUNS = _words(
    "- hand side sides part parts portion portions area areas region regions section sections corner corners quadrant "
    "edge edges half third most location position zone zones margin border end sector quarter boundary cell"
)
_BETWEEN_REGION_WORDS = frozenset(("-", "of", "the", "side", "part", "hand", "portion", "edge", "half"))
_NO_PLACE_BEHIND = _words(
    "direction directions directional orientation axis view views down angle angles now away looking turn line lines "
    "coordinate coordinates point points pixel pixels frequency x y"
)
_NO_PLACE_BEFORE = _words("shopping city town data its their box bounding")
_RIGHT_HERE = _words("next beside at in on above below near by behind after before there here along across")


def _merge(first, second):
    """Join two region words, each (row or None, column or None) with None for both in "center"; None if they clash."""
    if None not in first or None not in second:
        return None
    if first == (None, None):
        first, second = second, first
    if second == (None, None):  # "top center", "center left", "middle center"
        return tuple(1 if part is None else part for part in first)
    if (first[0] is None) == (second[0] is None):
        return None
    return (second if first[0] is None else first)[0], (second if first[1] is None else first)[1]


def _names_a_place(tokens, events, k, start, end, value):
    """Tell whether a region's words, tokens start to end, say where something is; `k` is the event behind them."""
    behind = tokens[end] if end < len(tokens) else ""
    before = tokens[start - 1] if start else ""
    if behind == "-" and end + 1 < len(tokens):
        behind = tokens[end + 1]
    if behind in _NO_PLACE_BEHIND or before in _NO_PLACE_BEFORE or behind[:1].isdigit():
        return False
    if value == (None, 2) and behind in _RIGHT_HERE and before not in ("the", "-", "far"):
        return False
    j = end
    while j < len(tokens) and tokens[j] in _REGION_NOUNS:
        j += 1
    if j + 1 >= len(tokens):
        return True
    if tokens[j] in ("relative", "from") and j - end <= 1:
        return tokens[j] == "from" and not (k < len(events) and events[k][0] == CATEGORY and events[k][2] <= j + 3)
    if tokens[j] != "of":
        return True
    named = next((event for event in events[k : k + 1] if event[0] == CATEGORY), None)
    limit = min(len(tokens), j + 8, named[2] if named else len(tokens))
    for token in tokens[j + 1 : limit]:
        if token in _IMAGE_WORDS:
            return True
        if token in (".", ",", "and", "in", "is"):
            break
    return False


def _place_at(tokens, events, k):
    """Join the words of a region, whose first is event k.

    Returns the position of the event behind them and one event (REGION, number 0 to 8, start, end, single) for all, in
    which `single` says that only one word named it; None in its place if the words do not say where something is.
    """
    _, value, start, end = events[k]
    count = len(events)
    k += 1
    while k < count and events[k][0] == REGION:
        _, other, other_start, other_end = events[k]
        gap = tokens[end:other_start]
        near = not gap or (len(gap) <= 4 and _BETWEEN_REGION_WORDS.issuperset(gap) and (len(gap) == 1 or "of" in gap))
        merged = _merge(value, other)
        if merged is None:
            if None in value and gap and (gap == ["-"] or gap[0] == "to"):  # "left-right", "from top to bottom"
                return k + 1, None
            break
        if not near:
            break
        value, end = merged, other_end
        k += 1
    if not _names_a_place(tokens, events, k, start, end, value):
        return k, None
    row, column = value
    return k, (REGION, 3 * (1 if row is None else row) + (1 if column is None else column), start, end, None in value)


def _join_regions(tokens, events):
    """Put one event in the place of each region's words, as `_place_at` gives it, or none where they say no place."""
    joined = []
    k = 0
    while k < len(events):
        if events[k][0] == REGION:
            k, place = _place_at(tokens, events, k)
            if place is not None:
                joined.append(place)
        else:
            joined.append(events[k])
            k += 1
    return joined


def _first_place(tokens, events):
    """Give the number of the first region that says where something is, -1 if none does."""
    k = 0
    while k < len(events):
        if events[k][0] == REGION:
            k, place = _place_at(tokens, events, k)
            if place is not None:
                return place[1]
        else:
            k += 1
    return -1


# ---------------------------------------------------------------------------------------------------------------------
# Categories that are said to be there
# ---------------------------------------------------------------------------------------------------------------------

_ENDS_NEGATION = _words(", at on in near with is are was were that which has contains containing shows showing")
_LIST_GLUE = frozenset((",", "or", "nor", "and", "any", "other", "/"))
_BE = frozenset(("is", "are", "was", "were", "be", "been"))
_NOT_BE = frozenset(("isn't", "aren't", "wasn't", "weren't"))
_PRESENT = _words("present visible seen found there detected observed identified shown visible recognizable")
_ABSENT = frozenset(("absent", "missing"))
_MAY_DENY = frozenset((":", "=", "-", *_BE, *_NOT_BE, "can", "cannot", "can't"))
_NONE = frozenset(("no", "none", "absent", "not", "false", "n", "nil", "null"))
_CUES = frozenset(("candidate", "candidates", "option", "options", "choice", "choices", "choose"))
_CUE_GAP = _words(
    "( : category categories class classes list are is include includes the following of target from , these one"
)
_SURROUNDING = _words("near beside alongside inside within outside behind around beneath under nearby")
_SURROUNDING_THE = _words("in at on by from to into off along across over above below between past against")
_CLOSENESS = frozenset(("close", "next", "adjacent", "far", "away", "distant", "relative"))
_DETERMINERS = _words("the a an this that its nearest closest nearby large small big")


def _negated(tokens, events):
    """Find the categories that a negation in front of them reaches: the tokens that they start at."""
    negated = set()
    armed = None  # the token behind a negation, or behind a category that it reached
    reached = False
    for kind, value, start, end in events:
        if kind == NEGATION or (kind == NUMBER and value == 0):
            if not (tokens[start] == "no" and tokens[end : end + 1] == [","]):
                armed, reached = end, False
        elif armed is None:
            continue
        elif kind == CATEGORY:
            gap = tokens[armed:start]
            holds = _LIST_GLUE.issuperset(gap) if reached else len(gap) <= 6 and _ENDS_NEGATION.isdisjoint(gap)
            if holds:
                negated.add(start)
                armed, reached = end, True
            else:
                armed = None
        elif kind in (STOP, TURN, BREAK, NUMBER):
            armed = None
    return negated


def _denied_behind(tokens, end):
    """Tell whether what follows a category denies that it is there, or that it is one: "ships: none", "ship-like"."""
    behind = tokens[end : end + 6]
    if behind[0] == "-" and len(behind) > 1 and behind[1] in _ALIKE:
        return True
    if behind[0] in (":", "=", "-"):
        return len(behind) > 1 and (behind[1] in _NONE or behind[1] == "0")
    if behind[0] in _NOT_BE:
        return not _PRESENT.isdisjoint(behind[1:4])
    if behind[0] in _BE and len(behind) > 1:
        return behind[1] in _ABSENT or (behind[1] == "not" and not _PRESENT.isdisjoint(behind[2:5]))
    return behind[:2] == ["can", "not"] or behind[0] in ("cannot", "can't")


def _is_surrounding(tokens, start):
    """Tell whether the category at a token is only what something else lies near to, or in."""
    j = start - 1
    while j >= 0 and start - j <= 4 and tokens[j] in _DETERMINERS:
        j -= 1
    if j < 0:
        return False
    word = tokens[j]
    if word in _SURROUNDING:
        return True
    if word in ("to", "from", "by") and j and tokens[j - 1] in _CLOSENESS:
        return True
    return word in _SURROUNDING_THE and tokens[j + 1] in ("the", "this", "that")


_ALIKE = frozenset(("like", "sized", "size", "type", "shaped", "related", "free", "side"))


MOST_REMEMBERED = 1 << 16
"""Different texts of one kind whose reading is kept at hand: most of a tuned model's repeat, boxes taken out."""


class Reader:
    """Reads answers in one vocabulary and one notation of boxes."""

    def __init__(self, lexicon, notation):
        """Take a `lexicon.Lexicon` and a `boxes.Notation`."""
        self.lexicon = lexicon
        self.notation = notation
        # These readings are larger than those of one answer, so fewer are kept.
        self._number = lru_cache(MOST_REMEMBERED >> 2)(self._stated_number)
        self._places = lru_cache(MOST_REMEMBERED >> 2)(self._told_places)

    def with_notation(self, notation):
        """Give a reader for another notation that shares what was read from texts without their boxes."""
        other = Reader(self.lexicon, notation)
        other._number, other._places = self._number, self._places
        return other

    def _events(self, text):
        """Give the tokens of an answer and its events, without those of echoed questions."""
        tokens = tokens_of(text)
        events = self.lexicon.scan(tokens)
        if "?" in text:
            events = _without_questions(events)
        return tokens, events

    def _categories(self, tokens, events):
        """List the category events that are answers, neither negated nor echoed."""
        named, denies = [], False
        for event in events:
            kind = event[0]
            if kind == CATEGORY:
                named.append(event)
            elif kind == NEGATION or (kind == NUMBER and event[1] == 0):
                denies = True
        denied = _negated(tokens, events) if denies and named else ()
        count = len(tokens)
        named = [
            event
            for event in named
            if event[2] not in denied
            and not (event[3] < count and tokens[event[3]] in _MAY_DENY and _denied_behind(tokens, event[3]))
        ]
        if len(named) > 1 and (
            not _CUES.isdisjoint(tokens) or len({event[1] for event in named}) == len(self.lexicon.names)
        ):
            return self._without_echo(tokens, named)
        return named

    def _without_echo(self, tokens, named):
        """Leave out the list of candidates."""
        kept = []
        introduced = []
        first = 0
        for last in range(1, len(named) + 1):
            if last < len(named) and _LIST_GLUE.issuperset(tokens[named[last - 1][3] : named[last][2]]):
                continue
            run = named[first:last]
            whole = len({event[1] for event in run}) == len(self.lexicon.names)
            cue = self._is_introduced(tokens, run[0][2])
            if (cue and len(run) > 1) or (whole and len(run) > 2):
                introduced.append((run, cue and whole))
            else:
                kept += run
            first = last
        if kept or not introduced:
            return kept
        run, echo = introduced[-1]
        return [] if echo else run

    @staticmethod
    def _is_introduced(tokens, start):
        for j in range(start - 1, max(-1, start - 7), -1):
            if tokens[j] in _CUES:
                return True
            if tokens[j] not in _CUE_GAP:
                return False
        return False

    def identification(self, text):
        """Read category, size, region and shape, each -1 where it is not said.

        A category that is not one of the vocabulary's numbers stands for two at once.
        """
        tokens, events = self._events(answer_part(text))
        category, start = self._identified(tokens, events)
        size = shape = -1
        for event in events:
            kind = event[0]
            if kind == SIZE:
                if size < 0 or event[2] < start:
                    size = event[1]
            elif kind == SHAPE and shape < 0:
                shape = event[1]
        return category, size, _first_place(tokens, events), shape

    def _identified(self, tokens, events):
        """Give the category that an identification names, and the token that it starts at; -1 for none."""
        named = self._categories(tokens, events)
        if not named:
            return -1, -1
        position = 0
        if len(named) > 1:
            position = next((k for k, event in enumerate(named) if not _is_surrounding(tokens, event[2])), 0)
        _, category, start, end = named[position]
        if position + 1 < len(named) and named[position + 1][1] != category:
            gap = tokens[end : named[position + 1][2]]
            if len(gap) <= 4 and ("or" in gap or "/" in gap):
                return len(self.lexicon.names), -1
        return category, start

    def classification(self, text):
        """Read the categories, as a number with a bit set for each."""
        tokens, events = self._events(answer_part(text))
        found = 0
        for event in self._categories(tokens, events):
            found |= 1 << event[1]
        return found

    def category_asked_for(self, question):
        """Read the category that a question is about, -1 if it names none."""
        events = self.lexicon.scan(tokens_of(answer_part(question)))
        return next((value for kind, value, *_ in events if kind == CATEGORY), -1)

    def boxes(self, text):
        """Read the boxes: their numbers as they stand in the text, four a box."""
        return split_boxes(answer_part(text), self.notation)[0]

    def counting(self, text):
        """Read the stated number, or None, and the boxes as `boxes` does."""
        numbers, rest = split_boxes(answer_part(text), self.notation)
        return self._number(rest), numbers

    def places(self, text):
        """Read a description or a grounding answer: its `Places`, and the boxes as `boxes` does."""
        numbers, rest = split_boxes(answer_part(text), self.notation)
        return self._places(rest), numbers

    def _told_places(self, text):
        tokens, events = self._events(text)
        answers = {event[2] for event in self._categories(tokens, events)}
        events = _join_regions(tokens, events)
        sentence = _Sentences(tokens, answers)
        for k, event in enumerate(events):
            sentence.take(event, events[k + 1] if k + 1 < len(events) else None)
        sentence.end()
        return Places(sentence.pairs, sentence.sizes, sentence.boxed, self._relations(tokens, events, answers))

    @staticmethod
    def _relations(tokens, events, answers):
        told = []
        if not any(event[0] in (DISTANCE, DIRECTION) for event in events):
            return told
        categories, distance, direction = [], None, None
        pair = None
        for kind, value, start, end, *_ in [*events, (STOP, ".", len(tokens), len(tokens))]:
            if kind == CATEGORY and start in answers:
                categories.append(value)
                if distance is not None and pair is None and len(categories) > 1 and start - distance[1] <= 4:
                    pair = tuple(sorted(categories[-2:]))
            elif kind == DISTANCE and distance is None:
                distance = (value, end)
                if len(categories) > 1 and tokens[end - 1] in ("apart", "together", "away", "by"):
                    pair = tuple(sorted(categories[-2:]))
            elif kind == DIRECTION and direction is None:
                direction = value
            elif kind == STOP:
                if pair is None and distance is None and direction is not None and len(categories) == 2:
                    pair = tuple(sorted(categories))
                if pair is not None and pair[0] != pair[1]:
                    if distance is not None:
                        told.append((*pair, distance[0]))
                    if direction is not None:
                        told.append((*pair, 2 + direction))
                categories, distance, direction, pair = [], None, None, None
        return told

    # -- counting -----------------------------------------------------------------------------------------------------

    def _stated_number(self, text):
        """Find the number that a counting answer states, or None."""
        if "[" in text or "(" in text or "<" in text or "{" in text:
            text = _COORDINATES.sub(" ", text)
        tokens, events = self._events(text)
        category_starts = {event[2]: event[3] for event in events if event[0] == CATEGORY}
        found = list(_numbers(tokens))
        total = next((number for number in found if _is_total(tokens, number)), None)
        if total is not None:
            return total.value
        counting = next((number for number in found if _counts_things(tokens, number, category_starts)), None)
        zero = self._zero(tokens, events)
        if zero is not None and (counting is None or zero < counting.start):
            return 0
        if counting is not None:
            return counting.value
        if found:
            return found[0].value
        return self._one(tokens, events)

    @staticmethod
    def _zero(tokens, events):
        """Find where it is first said that there is none; None if nowhere."""
        starts = list(_negated(tokens, events))
        starts += [
            start
            for kind, _, start, end in events
            if kind == CATEGORY and end < len(tokens) and tokens[end] in _MAY_DENY and _denied_behind(tokens, end)
        ]
        for kind, _, start, end, *_ in events:
            if kind == NEGATION:
                behind = tokens[end : end + 4]
                if tokens[start] == "none" or (_ENDS_NEGATION.isdisjoint(behind) and not _THINGS.isdisjoint(behind)):
                    starts.append(start)
        starts += [i for i, token in enumerate(tokens) if token == "nothing"]
        return min(starts, default=None)

    @staticmethod
    def _one(tokens, events):
        """Read "a ship" as one."""
        for kind, _, start, _end, *_ in events:
            if kind == CATEGORY:
                for j in range(start - 1, max(-1, start - 4), -1):
                    if tokens[j] in ("a", "an"):
                        return 1
                    if tokens[j] in ("of", "the", ",", "."):
                        break
        return None


def _without_questions(events):
    """Leave out the events of sentences that end in a question mark, unless nothing else is there."""
    kept, first = [], 0
    for k, (kind, value, *_) in enumerate(events):
        if kind == STOP:
            if value != "?":
                kept += events[first : k + 1]
            first = k + 1
    kept += events[first:]
    return kept if any(event[0] != STOP for event in kept) else events


# ---------------------------------------------------------------------------------------------------------------------
# Numbers of a counting answer
# ---------------------------------------------------------------------------------------------------------------------

_COORDINATES = re.compile(
    r"[\[({<]\s{0,9}-?[\d.]{1,400}(?:\s{0,9}[,;]\s{0,9}|\s{0,9}>\s{0,9}<\s{0,9}|\s{1,9})-?\d[\d\s.,;<>\[\](){}-]*"
)
"""Coordinates in brackets, whatever the notation: their numbers count nothing."""

_UNIT_WORDS = _words(
    "m meter meters metre metres km kilometers kilometres cm mm px pixel pixels % percent degree degrees ghz mhz x by "
    "bit bits bands m2 st nd rd th dpi"
)
_THINGS = _words(
    "instance instances target targets object objects item items one ones such sign signs trace evidence vessels"
)
_TOTALS = frozenset(
    ("total", "altogether", "count", "number", "totaling", "totalling", "sum", "counted", "quantity", "overall")
)
_DIGITS = frozenset("0123456789-")
_NUMBER_BEGINS = frozenset((*NUMBER_WORDS, "hundred", "thousand"))
_LABELS = frozenset(
    ("figure", "fig", "step", "image", "band", "sentinel", "no", "section", "example", "level", "page", "line")
)


class _Number(NamedTuple):
    value: float
    start: int
    end: int


def _numbers(tokens):
    """List the numbers of a counting answer that may be counts; a range such as "3 to 5" yields none."""
    i = 0
    count = len(tokens)
    while i < count:
        token = tokens[i]
        value, end = _number_at(tokens, i) if token[0] in _DIGITS or token in _NUMBER_BEGINS else (None, i)
        if value is None:
            i += 1
            continue
        before = tokens[i - 1] if i else ""
        behind = tokens[end] if end < count else ""
        digits = token[0] in _DIGITS
        other, other_end = _number_at(tokens, end + 1) if behind in ("to", "-", "or") else (None, 0)
        if other is not None and (behind != "-" or digits):
            i = other_end
            continue
        unfit = (
            behind in _UNIT_WORDS
            or (behind == "-" and tokens[end + 1 : end + 2] not in (["ship"],) and digits)
            or (digits and (before == "-" or (before in _LABELS and not (before == "no" and behind))))
            or (behind == ")" and before != "(")
            or before == "%"
        )
        if token == "one" and (
            behind in ("can", "could", "may", "might", "should", "of", "more", "by", "another")
            or before in ("this", "that", "which", "each", "no", "the", "any")
        ):
            unfit = True
        if not unfit:
            yield _Number(value, i, end)
        i = end


_LARGEST = 10**15
"""A number in words grows no further: "hundred hundred …" has no end, and a float must hold what it says."""


def _number_at(tokens, i):
    """Read the number that begins at a token, in digits or words: (value, the token behind it), or (None, i)."""
    if i >= len(tokens):
        return None, i
    token = tokens[i]
    if token[0] in _DIGITS:
        return (None, i) if token == "-" else (_digits(token), i + 1)
    if token not in _NUMBER_BEGINS:
        return None, i
    value, current, end = 0, 0, i
    while end < len(tokens):
        word = tokens[end]
        if word == "hundred" or word == "dozen":
            current = min(max(current, 1) * (100 if word == "hundred" else 12), _LARGEST)
        elif word == "thousand":
            value, current = value + max(current, 1) * 1000, 0
        elif word in NUMBER_WORDS:
            step = NUMBER_WORDS[word]
            if (
                end > i
                and not (0 < step < 10 and current % 10 == 0 and current and current != 10)
                and not (step < 100 and current % 100 == 0 and current and step)
            ):
                break
            current += step
        elif not (word in ("-", "and") and current and end + 1 < len(tokens) and _continues(current, tokens[end + 1])):
            break
        end += 1
    return value + current, end


def _continues(current, word):
    """Tell whether "twenty-" or "one hundred and" goes on with a word."""
    step = NUMBER_WORDS.get(word, 0)
    return (current % 100 == 0 and 0 < step < 100) or (current % 100 >= 20 and current % 10 == 0 and 0 < step < 10)


def _digits(token):
    """Read digits with a sign, thousands separators or decimals; None for what is none, such as "3rd"."""
    if not token.lstrip("-").replace(",", "").replace(".", "").isdigit():
        return None
    whole, _, fraction = token.partition(".")
    if "," in whole:
        head, *groups = whole.split(",")
        if len(head) > 3 or any(len(group) != 3 for group in groups):
            return None
        whole = whole.replace(",", "")
    if len(whole) > 15 or "." in fraction or "," in fraction:
        return float("inf")
    return int(whole) if not fraction.strip("0") else float(f"{whole}.{fraction[:15]}")


def _is_total(tokens, number):
    """Tell whether a number is announced as the total or the count."""
    for token in reversed(tokens[max(0, number.start - 6) : number.start]):
        if token in _TOTALS:
            return True
        if token[0] in _DIGITS or token in (".", LINE_MARK, ",", "there"):
            break
    behind = tokens[number.end : number.end + 4]
    return "altogether" in behind or any(pair == ("in", "total") for pair in pairwise(behind))


def _counts_things(tokens, number, category_starts):
    """Tell whether a number stands in front of a category or a word for things, or behind "there are"."""
    for j in range(number.end, min(number.end + 4, len(tokens))):
        if j in category_starts or tokens[j] in _THINGS:
            return True
        if tokens[j] in (".", ",", LINE_MARK, ":", "and", "in"):
            break
    return tokens[number.start - 2 : number.start] in (["there", "are"], ["there", "is"]) if number.start > 1 else False


# ---------------------------------------------------------------------------------------------------------------------
# Sentences of a description or a grounding answer
# ---------------------------------------------------------------------------------------------------------------------


_MOST_COMBINED = 1000
"""Where more things would go with all of more places than this, only the last thing does: no person speaks so."""

_SAYS_SIZE = _words("is are was were looks appears seems size : be quite rather")
_APPROACH = _words("near toward towards slightly closer just close")


class _Thing:
    """A category as named in a sentence."""

    __slots__ = ("category", "real", "size", "times")

    def __init__(self, category, times, real):
        self.category, self.times, self.real = category, times, real
        self.size = None


class _Place:
    """A region as named in a sentence."""

    __slots__ = ("boxed", "end", "region", "single", "times")

    def __init__(self, region, times):
        self.region, self.times = region, times
        self.boxed = False


_COLON, _BREAK, _BOX = object(), object(), object()


class _Sentences:
    """Puts categories and regions together, a sentence at a time.

    A sentence is a row of things (categories) and places (regions). Where things come first, each is followed by its
    places; where a place comes first, each is followed by its things.
    """

    def __init__(self, tokens, answers):
        """Take the tokens of a text, and which of them begin a category that is an answer."""
        self.tokens, self.answers = tokens, answers
        self.pairs, self.sizes, self.boxed = [], [], set()
        self.last = None  # the thing that was named last
        self.lead = []  # the places of a heading: "Top left:"
        self.group = range(0)  # the pairs of a whole group without boxes, which its members may still replace
        self._begin()

    def _begin(self):
        self.row = []
        self.thing = None  # the thing of this sentence that was named last
        self.number = None  # a number that nothing has taken yet, and the token behind it
        self.size = None
        self.speaks_of_last = self.partly = self.wholly = False

    def take(self, event, following):
        """Take the next event, and look at the one behind it."""
        kind, value, start, end, *single = event
        if kind == CATEGORY:
            self._take_thing(value, start, following)
        elif kind == REGION:
            self._take_place(value, start, single[0])
        elif kind == SIZE:
            last = self.row[-1] if self.row else None
            if following is not None and following[0] == CATEGORY and following[2] - end <= 4:
                self.size = value
            elif isinstance(last, _Thing) or self.tokens[start - 1] in _SAYS_SIZE:
                if self.thing is not None and self.thing.size is None:
                    self.thing.size = value
            else:
                self.size = value
        elif kind == NUMBER:
            self.number = (value, end)
            self.speaks_of_last = True
        elif kind == REFERENCE:
            self.speaks_of_last = True
            if value == 0:
                self.partly = True
            elif value == 1:
                self.number = (1, end)
            elif value == 2:
                self.wholly = True
        elif kind == BOX:
            self.row.append(_BOX)
            if self.thing is not None or self.last is not None:
                self.boxed.add((self.thing or self.last).category)
        elif kind == COLON:
            self.row.append(_COLON)
        elif kind == BREAK:
            self.row.append(_BREAK)
        elif kind == STOP:
            if value == LINE_MARK and self.row[-1:] == [_COLON] and isinstance(self.row[0], _Place):
                self.lead = [item for item in self.row if isinstance(item, _Place)]
                self._begin()
            else:
                self.end()

    def _take_thing(self, category, start, following):
        real = start in self.answers
        if real and _is_surrounding(self.tokens, start):
            return
        times = None
        if self.number is not None and start - self.number[1] <= 4:
            times = self.number[0]
        self.number = None
        definite = self.tokens[start - 1] in ("the", "this", "that", "these", "those") if start else False
        if definite and isinstance(self.row[-1] if self.row else None, _Thing) and self.row[-1].category == category:
            return
        thing = _Thing(category, times, real and times != 0)
        thing.size, self.size = self.size, None
        self.thing = thing
        self.row.append(thing)

    def _take_place(self, region, start, single):
        last = self.row[-1] if self.row else None
        if isinstance(last, _Place) and last.single and single and self.number is None:
            # "on the left side, near the bottom": one place in two steps.
            between = self.tokens[last.end : start]
            if not {"and", "or"} & set(between) and ("," not in between or _APPROACH & set(between)):
                row, column = divmod(last.region, 3)
                other_row, other_column = divmod(region, 3)
                if (row == 1) != (other_row == 1) and (column == 1) != (other_column == 1):
                    last.region = 3 * (row + other_row - 1) + column + other_column - 1
                    last.end, last.single = start + 1, False
                    return
        place = _Place(region, self.number[0] if self.number is not None else None)
        place.single, place.end = single, start + 1
        self.number = None
        self.row.append(place)

    def end(self):
        """Finish the sentence."""
        row = self.row
        things = [item for item in row if isinstance(item, _Thing)]
        places = [item for item in row if isinstance(item, _Place)]
        for thing in things:
            if thing.size is not None and thing.real:
                self.sizes.append((thing.category, thing.size, self._times(thing)))
        if places:
            self._mark_boxed(row)
            if things:
                self.lead = []
                self._pair(self._without_group_places(row))
            elif self.last is not None and (self.speaks_of_last or _BOX in row):
                self._continue(places)
        elif things and self.lead:
            self._add_all(things, self.lead)
        if things:
            self.last = things[-1]
            if not places:
                self.group = range(0)
        self._begin()

    @staticmethod
    def _times(thing):
        return thing.times if thing.times is not None and thing.times <= MOST_IN_ONE_REGION else 1

    @staticmethod
    def _mark_boxed(row):
        """Mark the places that a box stands beside, in front or behind as the sentence has it."""
        beside = [item for item in row if isinstance(item, _Place) or item is _BOX]
        step = -1 if beside[0] is _BOX else 1
        for position, item in enumerate(beside):
            neighbour = position + step
            if item is not _BOX and 0 <= neighbour < len(beside) and beside[neighbour] is _BOX:
                item.boxed = True

    @staticmethod
    def _without_group_places(row):
        """Leave out the places of a whole group whose members follow with places of their own."""
        if _COLON in row:
            colon = row.index(_COLON)
            before, behind = row[:colon], row[colon + 1 :]
            following = next((item for item in behind if isinstance(item, (_Thing, _Place))), None)
            named = [item for item in before if isinstance(item, _Thing)]
            placed = any(isinstance(item, _Place) for item in behind)
            if named and placed and (isinstance(following, _Place) or following.category == named[-1].category):
                first = before.index(named[0])
                before = before[:first] + [item for item in before[first:] if not isinstance(item, _Place)]
                return before + behind
        kept = []
        boxed_behind = False  # whether a place with a box follows that speaks of the same thing
        waiting = []  # places without box and number that a group may turn out to stand in front of
        for item in reversed(row):
            if isinstance(item, _Thing):
                kept += [] if boxed_behind and (item.times or 1) > 1 else waiting
                kept.append(item)
                boxed_behind, waiting = False, []
            elif isinstance(item, _Place) and boxed_behind and not item.boxed and item.times is None:
                waiting.append(item)
            else:
                boxed_behind = boxed_behind or (isinstance(item, _Place) and item.boxed)
                kept += waiting
                waiting = []
                kept.append(item)
        return (kept + waiting)[::-1]

    def _pair(self, row):
        """Pair things with places: each run of places goes with the things before it, or after it."""
        runs = []  # alternating runs of things, cut where they are said anew, and of places
        for item in row:
            if isinstance(item, _Thing):
                if not runs or runs[-1][0] is not _Thing:
                    runs.append((_Thing, [[]]))
                runs[-1][1][-1].append(item)
            elif isinstance(item, _Place):
                if not runs or runs[-1][0] is not _Place:
                    runs.append((_Place, []))
                runs[-1][1].append(item)
            elif item is _BREAK and runs and runs[-1][0] is _Thing and runs[-1][1][-1]:
                runs[-1][1].append([])
        first = len(self.pairs)
        places_first = runs[0][0] is _Place
        if places_first and runs[-1][0] is _Place and len(runs) > 1:
            # "In the top left there is a ship and a tank in the bottom right": the last thing goes with what follows.
            if len(runs) == 3:
                segments = runs[1][1]
                flat = [thing for segment in segments for thing in segment]
                own = runs[2][1][0].times is not None
                self._add_all(flat if own else flat[:-1], runs[0][1])
                self._add_all(flat[-1:], runs[2][1])
                runs = []
            else:
                runs, places_first = runs[1:], False
        for position in range(0, len(runs) - 1, 2) if runs else ():
            if places_first:
                self._add_all([thing for segment in runs[position + 1][1] for thing in segment], runs[position][1])
            else:
                segments = [segment for segment in runs[position][1] if segment]
                self._add_all(segments[-1], runs[position + 1][1])
        things = [item for item in row if isinstance(item, _Thing)]
        many = len(things) == 1 and (things[0].times or 1) > 1
        if many and not any(isinstance(item, _Place) and item.boxed for item in row):
            self.group = range(first, len(self.pairs))
        else:
            self.group = range(0)

    def _continue(self, places):
        """Give places to the category that was named before."""
        if self.group and any(place.boxed for place in places):
            self.pairs[self.group.start : self.group.stop] = []
        self.group = range(0)
        whole = _Thing(self.last.category, self.last.times if self.wholly else None, self.last.real)
        self._add_all([whole], places)

    def _add_all(self, things, places):
        """Add a pair for each thing at each place, as often as the numbers say.

        The things' number goes to the only place without one of its own: all of it if that comes first ("2 ships in the
        top left and 3 in the top right"), else what the other places leave ("the others in the top right").
        """
        without = [place for place in places if place.times is None]
        if len(things) * len(places) > _MOST_COMBINED:
            things = things[-1:]
        for thing in things:
            if not thing.real:
                continue
            for place in places:
                times = 1 if place.times is None else place.times
                if [place] == without and thing.times is not None and not self.partly:
                    others = 0 if place is places[0] else sum(other.times for other in places if other is not place)
                    times = max(1, thing.times - others)
                if times > MOST_IN_ONE_REGION:
                    times = 1
                if times:
                    self.pairs.append((thing.category, place.region, times))
