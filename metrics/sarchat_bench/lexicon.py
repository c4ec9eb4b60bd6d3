"""The words that an answer is read by: categories, regions, sizes, shapes, numbers, negations, and the marks between.

`Lexicon(names).scan(tokens)` turns the words of an answer into the few events that mean something, in their order. An
event is a tuple (kind, value, start, end): one of the kinds below, what it says, and the tokens that it covers. All
grammar, that is which category goes with which region, is in `reading.py`.

A category's name is looked for before size words and the longest name wins, so that "small vehicle" can be a category.
Everyday names ("vessel", "plane", "vehicle", "harbour") stand for a category of the vocabulary unless they are one
themselves. Words are compared whole: neither "portion" nor "airport" holds a port, nor does a "carrier" hold a car.
"""

import re
from itertools import compress, product

CATEGORIES = ("ship", "aircraft", "car", "tank", "bridge", "harbor")
"""SARDet-100K's categories in canonical order: the vocabulary unless another one is given."""

REGIONS = (
    "top left",
    "top center",
    "top right",
    "middle left",
    "middle center",
    "middle right",
    "bottom left",
    "bottom center",
    "bottom right",
)
SIZES = ("very small", "small", "medium", "large", "very large")
SHAPES = ("wide", "roughly square", "tall")
DISTANCES = ("close", "far")
DIRECTIONS = ("horizontal", "vertical", "diagonal")

# The kinds of events, and what their values are.
CATEGORY = 0  # position in the vocabulary
SIZE = 1  # position in SIZES
SHAPE = 2  # position in SHAPES
REGION = 3  # a word of a region: (row or None, column or None), each 0 to 2
NUMBER = 4  # the number
NEGATION = 5
STOP = 6  # the end of a sentence: the mark itself
COLON = 7
BOX = 8  # a box stood here
BREAK = 9  # "there", "with", "while": what follows is said anew
TURN = 10  # "but", "only": what follows is not negated
DISTANCE = 11  # position in DISTANCES
DIRECTION = 12  # position in DIRECTIONS
REFERENCE = 13  # "another", "they": speaks of what was named before; see _REFERENCES

BOX_MARK = "\x00"
"""Stands in the text where a box was."""
BULLET_MARK = "\x01"
"""Stands in the text where a list's bullet or number was."""
LINE_MARK = "\x02"
"""Stands in the text where a line ended."""

TOKEN = re.compile(
    r"[^\W\d_]+(?:'[^\W\d_]+)*(?:\d\w*)?|(?:(?<!\w)-)?\d+(?:[.,]\d+)*(?:[^\W\d_]\w*)?"
    r"|(?<=\w)-(?=\w)|[.!?;:,(){}\x00\x01\x02%|/=]"
)
"""Words, numbers and marks of a lower-case text. A hyphen between words is a token, a dash between spaces is not."""

_PLAIN = b"abcdefghijklmnopqrstuvwxyz0123456789 .,:;!?()\x00\x01\x02\"*'-"
_DECIMAL = re.compile(r"[.,][0-9]")
_LOOSE = re.compile(r"-(?<![a-z0-9]-)|-(?![a-z0-9])|'(?<![a-z]')|'(?![a-z])|[0-9][a-z]+'")
"""A plain text with no decimals, loose hyphens or "1st's" is split at spaces set around its marks: the same, faster."""


def tokenize(text):
    """Split a lower-case text into TOKENs.

    >>> tokenize("3 ships in the top-left; no cars.")
    ['3', 'ships', 'in', 'the', 'top', '-', 'left', ';', 'no', 'cars', '.']
    """
    if (
        not text.isascii()
        or text.encode().translate(None, _PLAIN)
        or (("." in text or "," in text) and _DECIMAL.search(text))
        or (("-" in text or "'" in text) and _LOOSE.search(text))
    ):
        return TOKEN.findall(text)
    for mark in ",.-:;!?()\x00\x01\x02":
        if mark in text:
            text = text.replace(mark, f" {mark} ")
    for mark in '*"':
        if mark in text:
            text = text.replace(mark, " ")
    return text.split()


def _words(text):
    return tuple(text.split())


_SYNONYMS = (
    (
        "ship",
        "vessel",
        "boat",
        "warship",
        "watercraft",
        "cargo ship",
        "container ship",
        "tanker",
        "oil tanker",
        "aircraft carrier",
        "ferry",
        "naval vessel",
        "maritime vessel",
    ),
    ("aircraft", "airplane", "aeroplane", "plane", "airliner", "jet", "fighter jet", "helicopter"),
    ("car", "vehicle", "automobile", "motor vehicle"),
    ("tank", "storage tank", "oil tank", "oil storage tank", "fuel tank", "gas tank", "liquid tank"),
    ("bridge",),
    ("harbor", "harbour", "port", "seaport", "sea port"),
)
"""Groups of nouns that mean the same."""

_NO_CATEGORY = (
    "car park",
    "car parks",
    "car parking",
    "car port",
    "port side",
    "port hand",
    "focal plane",
    "ground plane",
    "image plane",
    "slant plane",
    "horizontal plane",
    "vertical plane",
    "jet stream",
)
"""Phrases in which such a noun means something else."""

_SIZE_WORDS = {
    "very small": ("very tiny", "extremely small", "really small", "tiny", "minuscule", "very little"),
    "small": ("little", "smallish", "relatively small", "fairly small", "quite small"),
    "medium": (
        "mid size",
        "mid sized",
        "midsize",
        "midsized",
        "moderate",
        "moderately",
        "average size",
        "average sized",
    ),
    "large": ("big", "largish", "relatively large", "fairly large", "quite large", "sizable", "sizeable"),
    "very large": (
        "very big",
        "extremely large",
        "really large",
        "huge",
        "enormous",
        "gigantic",
        "massive",
        "very huge",
    ),
}
_SHAPE_WORDS = {
    "wide": ("wider", "broad", "horizontally elongated", "elongated horizontally", "wider than tall"),
    "roughly square": ("square", "squarish", "approximately square", "nearly square", "almost square", "square shaped"),
    "tall": ("taller", "vertically elongated", "elongated vertically", "taller than wide", "tall and narrow"),
}
_ROWS = (("top", "upper", "uppermost", "topmost"), (), ("bottom", "lower", "lowermost", "bottommost"))
_COLUMNS = (("left", "leftmost", "lefthand"), (), ("right", "rightmost", "righthand"))
_MIDDLE = ("middle", "center", "centre", "central", "centered", "centred", "centrally")

_UNITS = _words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = _words("twenty thirty forty fifty sixty seventy eighty ninety")
NUMBER_WORDS = {
    **{word: value for value, word in enumerate(_UNITS)},
    **{word: value for value, word in zip(range(20, 100, 10), _TENS, strict=True)},
    "single": 1,
    "sole": 1,
    "pair": 2,
    "couple": 2,
    "dozen": 12,
}

_NEGATIONS = (
    "no",
    "not",
    "none",
    "neither",
    "nor",
    "without",
    "cannot",
    "lack",
    "lacks",
    "lacking",
    "absence of",
    "rather than",
    "instead of",
    "free of",
    "devoid of",
    *(f"{verb}n't" for verb in _words("is are was were do does did has have ca could would wo should must")),
)
_TURNS = ("but", "only", "just", "however", "although", "though", "except", "besides")
_BREAKS = ("there", "there's", "with", "while", "whereas", "where", "whilst")
_REFERENCES = {
    "another": 1,
    "it": None,
    "it's": None,
    "they": 2,
    "they're": 2,
    "both": 2,
    "all": 2,
    "each": None,
    "others": None,
    "other": None,
    "remaining": None,
    "rest": None,
    "first": None,
    "second": None,
    "third": None,
    "fourth": None,
    "fifth": None,
    "last": None,
    "former": None,
    "latter": None,
    "mostly": 0,
    "mainly": 0,
    "primarily": 0,
    "predominantly": 0,
    "largely": 0,
    "chiefly": 0,
    "concentrated": 0,
    "clustered": 0,
    "scattered": 0,
    "spread": 0,
    "distributed": 0,
    BULLET_MARK: None,
}
"""0 stands for "mostly": the regions that follow hold some of the group; 1 for one of it, 2 for the whole group."""

_DISTANCE_WORDS = {
    "close": (
        "close to",
        "close together",
        "close by",
        "near",
        "near to",
        "nearby",
        "next to",
        "adjacent to",
        "beside",
    ),
    "far": ("far from", "far away from", "far apart", "away from", "distant from", "far away", "remote from"),
}


def plurals(noun):
    """Give the forms of a noun's plural that people write: "ferries", "buses", "aircrafts"."""
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return (noun + "es",)
    if noun.endswith("y"):
        return (noun[:-1] + "ies", noun + "s")
    return (noun + "s",)


def words_of(name):
    """Split a name into the tokens that it would have in a text, without hyphens.

    >>> words_of("Small-Vehicle")
    ('small', 'vehicle')
    """
    return tuple(token for token in tokenize(name.lower().replace("_", " ")) if token != "-")


class Lexicon:
    """The words of one vocabulary of categories, ready to be found in texts."""

    def __init__(self, names=CATEGORIES):
        """Take the category names in canonical order; raises ValueError if one is empty or stands there twice."""
        self.names = tuple(names)
        forms = [words_of(name) if isinstance(name, str) else () for name in self.names]
        for position, form in enumerate(forms):
            if not form or form in forms[:position]:
                raise ValueError(
                    f"vocabulary: the name {self.names[position]!r} at index {position} is empty or there twice; "
                    "give a list of different category names."
                )
        self._entries = {}
        self._add_categories(forms)
        for phrase in _NO_CATEGORY:
            self._add(phrase, None, None)
        self._add_words()
        self._add_regions()
        # Tuples, and None for no phrases, because `scan` looks at every word of every answer.
        self._entries = {word: (kind, value, phrases or None) for word, (kind, value, phrases) in self._entries.items()}

    def _add(self, phrase, kind, value):
        """Add a word or a phrase; what stands there already stays."""
        words = words_of(phrase) or (phrase,)
        first = self._entries.setdefault(words[0], [None, None, {}])
        if len(words) == 1:
            if first[0] is None:
                first[:2] = kind, value
            return
        # A phrase may be written with hyphens between any of its words: "top-left-hand", "medium-sized".
        for glue in product(("", "-"), repeat=len(words) - 1):
            rest = [token for pair in zip(glue, words[1:], strict=True) for token in pair if token]
            phrases = first[2].setdefault(rest[0], [])
            if all(rest != known for known, _, _ in phrases):
                phrases.append((rest, kind, value))
                phrases.sort(key=lambda entry: -len(entry[0]))

    def _add_noun(self, noun, category):
        for form in (noun, *plurals(noun), f"{noun}'s"):
            self._add(form, CATEGORY, category)

    def _add_categories(self, forms):
        for category, form in enumerate(forms):
            self._add_noun(" ".join(form), category)
        for group in _SYNONYMS:
            members = {
                form: category for category, form in enumerate(forms) for noun in group if form == words_of(noun)
            }
            if len(members) == 1:  # with two of them in the vocabulary, each is known by its own name only
                (category,) = members.values()
                for noun in group:
                    self._add_noun(noun, category)

    def _add_words(self):
        for position, size in enumerate(SIZES):
            for word in (size, *_SIZE_WORDS[size]):
                for phrase in (word, f"{word} sized", f"{word} size", f"{word} scale"):
                    self._add(phrase, SIZE, position)
        for position, shape in enumerate(SHAPES):
            for word in (shape, *_SHAPE_WORDS[shape]):
                self._add(word, SHAPE, position)
        for position, distance in enumerate(DISTANCES):
            for word in _DISTANCE_WORDS[distance]:
                self._add(word, DISTANCE, position)
        for position, direction in enumerate(DIRECTIONS):
            self._add(direction, DIRECTION, position)
            self._add(direction + "ly", DIRECTION, position)
        for word, value in NUMBER_WORDS.items():
            self._add(word, NUMBER, value)
        for value in range(1000):
            self._entries[str(value)] = [NUMBER, value, {}]
        self._add("not only", TURN, None)
        self._add("not just", TURN, None)
        for word in _NEGATIONS:
            self._add(word, NEGATION, None)
        for word in _TURNS:
            self._add(word, TURN, None)
        for word in _BREAKS:
            self._add(word, BREAK, None)
        for word, value in _REFERENCES.items():
            self._add(word, REFERENCE, value)
        for mark in ".!?;" + LINE_MARK:
            self._entries[mark] = [STOP, mark, {}]
        self._entries[":"] = [COLON, None, {}]
        self._entries[BOX_MARK] = [BOX, None, {}]

    def _add_regions(self):
        for row, words in enumerate(_ROWS):
            for word in words:
                self._add(word, REGION, (row, None))
                for column, others in enumerate(_COLUMNS):
                    for other in others:
                        self._add(word + other, REGION, (row, column))
                        self._add(other + word, REGION, (row, column))
        for column, words in enumerate(_COLUMNS):
            for word in words:
                self._add(word, REGION, (None, column))
                self._add(f"mid {word}", REGION, (1, column))
        for word in _MIDDLE:
            self._add(word, REGION, (None, None))

    def scan(self, tokens):
        """List the events of an answer's tokens as (kind, value, start, end), in order and without overlap."""
        events = []
        resume = 0
        last = len(tokens) - 1
        entries = list(map(self._entries.get, tokens))
        for start in compress(range(len(tokens)), entries):
            if start < resume:
                continue
            kind, value, phrases = entries[start]
            resume = start + 1
            if phrases is not None and start < last and tokens[resume] in phrases:
                for rest, phrase_kind, phrase_value in phrases[tokens[resume]]:
                    end = start + 1 + len(rest)
                    if tokens[start + 1 : end] == rest and not (
                        phrase_kind == SIZE and self._begins_category(tokens, end - 1)
                    ):
                        kind, value, resume = phrase_kind, phrase_value, end
                        break
            if kind is not None:
                events.append((kind, value, start, resume))
        return events

    def _begins_category(self, tokens, start):
        """Tell whether a category's name of several words begins here, as in "very small vehicle"."""
        entry = self._entries.get(tokens[start])
        if entry is None or entry[2] is None:
            return False
        return any(
            kind == CATEGORY and tokens[start + 1 : start + 1 + len(rest)] == rest
            for rest, kind, _ in entry[2].get("".join(tokens[start + 1 : start + 2]), ())
        )
