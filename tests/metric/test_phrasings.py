"""What real models say, phrase by phrase, and how it is to be read."""

from collections import Counter

import pytest

SHIP, AIRCRAFT, CAR, TANK, BRIDGE, HARBOR = range(6)
TL, TC, TR, ML, MC, MR, BL, BC, BR = range(9)
VERY_SMALL, SMALL, MEDIUM, LARGE, VERY_LARGE = range(5)
WIDE, SQUARE, TALL = range(3)
BOX = "{<1><2><30><40>}"

COUNTING = [
    # published, and ours
    ("There are 3 instances. {<1><2><3><4>}{<5><6><7><8>}", 3),
    ("There is 1 instance. {<1><2><3><4>}", 1),
    ("{<1><2><3><4>}{<5><6><7><8>}", None),
    ("", None),
    # digits and words
    ("3", 3),
    ("3.", 3),
    ("**3**", 3),
    ("3.0", 3),
    ("12 ships", 12),
    ("1,234 ships", 1234),
    ("three", 3),
    ("Three ships are visible.", 3),
    ("I can see three ships in the image.", 3),
    ("One can see 4 ships.", 4),
    ("There are twenty-three ships.", 23),
    ("There are twenty three aircraft.", 23),
    ("There are forty seven ships.", 47),
    ("one hundred and five tanks", 105),
    ("two hundred cars", 200),
    ("a dozen ships", 12),
    ("two dozen vessels", 24),
    ("A pair of aircraft is parked there.", 2),
    ("a couple of boats", 2),
    ("A single ship is visible.", 1),
    ("There is only one bridge.", 1),
    ("There is a ship in the image.", 1),
    ("An aircraft.", 1),
    ("This is a SAR image of a harbor. There are 3 ships.", 3),
    # announced
    ("Answer: 5", 5),
    ("The answer is 5.", 5),
    ("Final answer: **7**", 7),
    ("\\boxed{7}", 7),
    ("I counted 3 at the top and 4 at the bottom. Final answer: 7", 7),
    ("<answer>4</answer>", 4),
    ("Count: 6", 6),
    ("The number of ships is 6.", 6),
    ("Number of aircraft: 9", 9),
    ("Total: 8", 8),
    ("3 in the top left and 2 in the bottom right, 5 in total.", 5),
    ("There are 2 on the left and 2 on the right, for a total of 4 ships.", 4),
    ('{"count": 3}', 3),
    ('```json\n{"ships": 3}\n```', 3),
    ("The image contains 12 ships: 3 in the top left, 9 in the center.", 12),
    # reasoning
    ("<think>Maybe 4? No, 5.</think>There are 6 ships.", 6),
    ("<think>Maybe 4? No, 5.</think>\n\n6", 6),
    ("Maybe 4, no, 5.</think>6 ships", 6),
    ("<think>I see 4 ships, or", None),
    ("<thinking>9</thinking> 2 tanks", 2),
    # zero
    ("There are no ships in the image.", 0),
    ("No ships.", 0),
    ("There are 0 instances.", 0),
    ("Zero.", 0),
    ("zero aircraft", 0),
    ("None.", 0),
    ("There aren't any ships.", 0),
    ("I don't see any bridges in this image.", 0),
    ("No instances of cars can be found.", 0),
    ("There is no visible aircraft.", 0),
    ("I cannot find any tanks.", 0),
    ("The image does not contain any harbor.", 0),
    ("Ships are not visible.", 0),
    # numbers that count nothing
    ("In this 512x512 image there are 4 ships.", 4),
    ("In this 512 x 512 image there are 4 ships.", 4),
    ("The image has a size of 256 × 256 pixels and shows 2 ships.", 2),
    ("At a resolution of 3 m, 5 ships can be seen.", 5),
    ("The Sentinel-1 image shows 7 ships.", 7),
    ("In this C-band image with 10 meter resolution I see 2 bridges.", 2),
    ("With 95% confidence there are 4 ships.", 4),
    ("Figure 1 shows 5 aircraft.", 5),
    ("1. Ship at the top left\n2. Ship at the bottom right\n3. Ship in the center\nTotal: 3", 3),
    ("1) The image shows water. There are 6 ships.", 6),
    ("There are 2 ships at [10, 20, 30, 40] and [1, 2, 3, 4].", 2),
    ("The 1st ship is large. There are 2 ships.", 2),
    ("The ship at (120, 240) and two others, 3 ships in all", 3),
    # no number
    ("There are several ships.", None),
    ("Many ships are visible.", None),
    ("I cannot tell from this image.", None),
    ("There are 3 to 5 ships.", None),
    ("3-5 ships", None),
    ("two or three ships", None),
    ("The ship is near a harbor", 1),
    # echoed questions
    ("[count] How many ships are there in the image? There are 4 ships.", 4),
    ("How many ships? 4", 4),
    # approximations
    ("about 20 ships", 20),
    ("approximately 15 aircraft", 15),
    # odd digits
    ("9" * 400, float("inf")),
    ("-3", -3),
    ("3.5 ships", 3.5),
    ("There are ３ ships.", 3),
    ("共有3艘", None),
]


@pytest.mark.parametrize(("text", "number"), COUNTING)
def test_counting(reader, text, number):
    assert reader.counting(text)[0] == number


# (category, size, region, shape), -1 where it is not said; 6 for two categories at once.
IDENTIFICATION = [
    ("Examining the bottom center area reveals a very small ship.", (SHIP, VERY_SMALL, BC, -1)),
    (
        "This is a medium ship located in the top right portion of the image. It appears to be wide in shape.",
        (SHIP, MEDIUM, TR, WIDE),
    ),
    (
        "This is a medium-sized ship located in the top right portion of the image. It appears to be wide in shape.",
        (SHIP, MEDIUM, TR, WIDE),
    ),
    ("ship", (SHIP, -1, -1, -1)),
    ("**Ship**", (SHIP, -1, -1, -1)),
    ("SHIP.", (SHIP, -1, -1, -1)),
    ("ships", (SHIP, -1, -1, -1)),
    ("It's a vessel.", (SHIP, -1, -1, -1)),
    ("a small boat", (SHIP, SMALL, -1, -1)),
    ("a cargo ship", (SHIP, -1, -1, -1)),
    ("an oil tanker", (SHIP, -1, -1, -1)),
    ("an aircraft carrier", (SHIP, -1, -1, -1)),
    ("airplane", (AIRCRAFT, -1, -1, -1)),
    ("aeroplanes", (AIRCRAFT, -1, -1, -1)),
    ("A large plane", (AIRCRAFT, LARGE, -1, -1)),
    ("planes", (AIRCRAFT, -1, -1, -1)),
    ("aircrafts", (AIRCRAFT, -1, -1, -1)),
    ("a fighter jet", (AIRCRAFT, -1, -1, -1)),
    ("a vehicle", (CAR, -1, -1, -1)),
    ("an automobile", (CAR, -1, -1, -1)),
    ("A tiny vehicle", (CAR, VERY_SMALL, -1, -1)),
    ("a storage tank", (TANK, -1, -1, -1)),
    ("Oil storage tanks", (TANK, -1, -1, -1)),
    ("a harbour", (HARBOR, -1, -1, -1)),
    ("the port", (HARBOR, -1, -1, -1)),
    ("This is the harbor's outline.", (HARBOR, -1, -1, -1)),
    # words that only look like it
    ("The central portion", (-1, -1, MC, -1)),
    ("a card", (-1, -1, -1, -1)),
    ("a carrier", (-1, -1, -1, -1)),
    ("shipping lane", (-1, -1, -1, -1)),
    ("an airport", (-1, -1, -1, -1)),
    ("It is important to note the abridged scar.", (-1, -1, -1, -1)),
    ("a ship-like object", (-1, -1, -1, -1)),
    ("car park", (-1, -1, -1, -1)),
    ("on the port side there is a ship", (SHIP, -1, -1, -1)),
    ("In the ground plane, a tank", (TANK, -1, -1, -1)),
    ("", (-1, -1, -1, -1)),
    ("I am sorry, I cannot help with that.", (-1, -1, -1, -1)),
    ("这是一艘船", (-1, -1, -1, -1)),
    # sizes
    ("The target is a huge ship.", (SHIP, VERY_LARGE, -1, -1)),
    ("a very large bridge", (BRIDGE, VERY_LARGE, -1, -1)),
    ("a big bridge", (BRIDGE, LARGE, -1, -1)),
    ("an extremely small car", (CAR, VERY_SMALL, -1, -1)),
    ("a mid-sized aircraft", (AIRCRAFT, MEDIUM, -1, -1)),
    ("an aircraft of medium size", (AIRCRAFT, MEDIUM, -1, -1)),
    ("The ship is very small.", (SHIP, VERY_SMALL, -1, -1)),
    ("A large body of water with a small ship", (SHIP, SMALL, -1, -1)),
    ("very-small ship", (SHIP, VERY_SMALL, -1, -1)),
    ("a ship of very small size", (SHIP, VERY_SMALL, -1, -1)),  # "size" begins no category: this raised KeyError once
    ("a ship of very small", (SHIP, VERY_SMALL, -1, -1)),
    # regions
    ("a ship in the upper left corner", (SHIP, -1, TL, -1)),
    ("a ship at the upper-left corner", (SHIP, -1, TL, -1)),
    ("a ship in the top-left", (SHIP, -1, TL, -1)),
    ("a ship in the left top corner", (SHIP, -1, TL, -1)),
    ("a ship in the top left-hand corner", (SHIP, -1, TL, -1)),
    ("a ship in the topleft part", (SHIP, -1, TL, -1)),
    ("a ship at the top", (SHIP, -1, TC, -1)),
    ("a ship in the upper part of the image", (SHIP, -1, TC, -1)),
    ("a ship in the upper middle", (SHIP, -1, TC, -1)),
    ("a ship in the center top area", (SHIP, -1, TC, -1)),
    ("a ship in the top right", (SHIP, -1, TR, -1)),
    ("a ship on the left side", (SHIP, -1, ML, -1)),
    ("a ship on the left-hand side of the picture", (SHIP, -1, ML, -1)),
    ("a ship in the center left", (SHIP, -1, ML, -1)),
    ("a ship in the center-left", (SHIP, -1, ML, -1)),
    ("a ship in the left center", (SHIP, -1, ML, -1)),
    ("a ship in the mid-left area", (SHIP, -1, ML, -1)),
    ("a ship along the left edge", (SHIP, -1, ML, -1)),
    ("a ship to the left of the center", (SHIP, -1, ML, -1)),
    ("a ship in the middle", (SHIP, -1, MC, -1)),
    ("a ship in the centre of the scene", (SHIP, -1, MC, -1)),
    ("a ship in the central region", (SHIP, -1, MC, -1)),
    ("a ship in the middle of the image", (SHIP, -1, MC, -1)),
    ("a ship in the right half", (SHIP, -1, MR, -1)),
    ("a ship on the right side", (SHIP, -1, MR, -1)),
    ("a ship in the middle right", (SHIP, -1, MR, -1)),
    ("a ship in the lower left quadrant", (SHIP, -1, BL, -1)),
    ("a ship at the bottom", (SHIP, -1, BC, -1)),
    ("a ship in the lower part", (SHIP, -1, BC, -1)),
    ("a ship in the bottom-middle", (SHIP, -1, BC, -1)),
    ("a ship in the lower right", (SHIP, -1, BR, -1)),
    ("a ship in the bottom_right", (SHIP, -1, BR, -1)),
    ("a ship in the right side of the bottom", (SHIP, -1, BR, -1)),
    ("a ship in the lower right-hand corner of this SAR image", (SHIP, -1, BR, -1)),
    ("a ship at the bottom of the image", (SHIP, -1, BC, -1)),
    # directions are no regions
    ("a ship to the left of the harbor", (SHIP, -1, -1, -1)),
    ("a ship right next to the bridge", (SHIP, -1, -1, -1)),
    ("a ship on the right side of the bridge", (SHIP, -1, -1, -1)),
    ("a ship in the top left, to the right of the bridge", (SHIP, -1, TL, -1)),
    ("a ship seen from left to right", (SHIP, -1, -1, -1)),
    ("a ship sailing in the left-right direction", (SHIP, -1, -1, -1)),
    ("a top-down view of a ship", (SHIP, -1, -1, -1)),
    ("a car on top of the bridge", (CAR, -1, -1, -1)),
    ("a ship in the middle of the sea", (SHIP, -1, -1, -1)),
    ("a ship left of it", (SHIP, -1, -1, -1)),
    # shapes
    ("a ship, roughly square in shape", (SHIP, -1, -1, SQUARE)),
    ("a squarish tank", (TANK, -1, -1, SQUARE)),
    ("a tall bridge", (BRIDGE, -1, -1, TALL)),
    ("a bridge that is taller than wide", (BRIDGE, -1, -1, TALL)),
    ("a bridge that is wider than tall", (BRIDGE, -1, -1, WIDE)),
    ("a ship. Shape: tall", (SHIP, -1, -1, TALL)),
    # which category is meant
    ("A ship near the harbor", (SHIP, -1, -1, -1)),
    ("Near the harbor, a ship is visible", (SHIP, -1, -1, -1)),
    ("In the harbor there is a very small ship", (SHIP, VERY_SMALL, -1, -1)),
    ("It is not a tank. It is a ship.", (SHIP, -1, -1, -1)),
    ("It is not a tank but a ship", (SHIP, -1, -1, -1)),
    ("This isn't a ship, it is an aircraft.", (AIRCRAFT, -1, -1, -1)),
    ("a ship rather than a tank", (SHIP, -1, -1, -1)),
    ("Rather than a tank, it is a ship.", (SHIP, -1, -1, -1)),
    ("It is a ship or a tank.", (6, -1, -1, -1)),
    ("ship/tank", (6, -1, -1, -1)),
    ("a ship or a boat", (SHIP, -1, -1, -1)),
    ("Is it a tank? No, it is a ship.", (SHIP, -1, -1, -1)),
    ("No ship is visible.", (-1, -1, -1, -1)),
    (
        "Among the candidate categories aircraft, bridge, car, harbor, ship, tank it is a ship.",
        (SHIP, -1, -1, -1),
    ),
    ("(aircraft, bridge, car, harbor, ship, tank): ship", (SHIP, -1, -1, -1)),
    ("<think>Perhaps a tank.</think>A ship.", (SHIP, -1, -1, -1)),
    ("Perhaps a tank? The final answer is: bridge", (BRIDGE, -1, -1, -1)),
    # JSON
    (
        '{"category": "ship", "size": "very small", "region": "bottom center", "shape": "tall"}',
        (SHIP, VERY_SMALL, BC, TALL),
    ),
    ('```json\n{\n "label": "aircraft",\n "position": "top_left"\n}\n```', (AIRCRAFT, -1, TL, -1)),
    ("Category: ship. Size: very small. Position: bottom center. Shape: tall.", (SHIP, VERY_SMALL, BC, TALL)),
    ("- Category: **ship**\n- Size: *large*\n- Region: **top-right**", (SHIP, LARGE, TR, -1)),
    ("| ship | small | top left |", (SHIP, SMALL, TL, -1)),
    ("[identify] What object is located in {<1><2><3><4>}? This is a ship.", (SHIP, -1, -1, -1)),
    # cut off
    ("This is a medium ship located in the top", (SHIP, MEDIUM, TC, -1)),
    ("This is a medium ship located in the top right por", (SHIP, MEDIUM, TR, -1)),
]


@pytest.mark.parametrize(("text", "reading"), IDENTIFICATION)
def test_identification(reader, text, reading):
    assert reader.identification(text) == reading


ALL = {SHIP, AIRCRAFT, CAR, TANK, BRIDGE, HARBOR}
CLASSIFICATION = [
    ("It is ship.", {SHIP}),
    ("The ship targets can be identified in the figure", {SHIP}),
    ("The ship and harbor targets can be identified in the figure", {SHIP, HARBOR}),
    ("ship", {SHIP}),
    ("Ship, Harbor", {SHIP, HARBOR}),
    ("ship/harbor", {SHIP, HARBOR}),
    ("ships and planes", {SHIP, AIRCRAFT}),
    ("- ship\n- car", {SHIP, CAR}),
    ("1. Ship\n2. Tank", {SHIP, TANK}),
    ('["ship", "tank"]', {SHIP, TANK}),
    ('{"categories": ["ship", "bridge"]}', {SHIP, BRIDGE}),
    ("The image shows vessels near a port.", {SHIP, HARBOR}),
    ("Several storage tanks beside a bridge", {TANK, BRIDGE}),
    ("Nothing.", set()),
    ("", set()),
    ("The picture shows a portion of a card.", set()),
    ("It is ship, aircraft, car, tank, bridge and harbor.", ALL),
    ("The ship, aircraft, car, tank, bridge and harbor targets can be identified in the figure.", ALL),
    # negated
    ("There are ships but no aircraft.", {SHIP}),
    ("No ships, aircraft or cars are visible, only a bridge.", {BRIDGE}),
    ("Neither ships nor tanks, just a harbor.", {HARBOR}),
    ("A bridge without cars", {BRIDGE}),
    ("There are no ships. There is a bridge.", {BRIDGE}),
    ("There are no ships and 3 tanks.", {TANK}),
    ("ships are not visible, a bridge is", {BRIDGE}),
    ("Not only ships but also tanks", {SHIP, TANK}),
    ("I don't see any aircraft; I see a harbor.", {HARBOR}),
    ("Ship: yes\nAircraft: no\nCar: no\nTank: no\nBridge: yes\nHarbor: no", {SHIP, BRIDGE}),
    ('{"ship": true, "aircraft": false, "car": false, "tank": true}', {SHIP, TANK}),
    ("The absence of ships suggests an airport; aircraft are parked.", {AIRCRAFT}),
    ("Aside from the harbor, it lacks ships", {HARBOR}),
    ("No sign of ships. Tanks.", {TANK}),
    ("There is a ship, not an aircraft.", {SHIP}),
    # echoed
    ("(candidate categories: aircraft, bridge, car, harbor, ship, tank) It is ship.", {SHIP}),
    ("Candidate categories: aircraft, bridge, car, harbor, ship, tank\nAnswer: ship", {SHIP}),
    ("From the options aircraft, bridge, car, harbor, ship, tank I choose: tank", {TANK}),
    ("Candidates: aircraft, bridge, car, harbor, ship, tank.", set()),
    ("Of aircraft, bridge, car, harbor, ship and tank, the image shows cars.", {CAR}),
    ("Which of these: aircraft, bridge, car, harbor, ship, tank? Ship.", {SHIP}),
    ("Please identify the target categories in the figure (candidate categories: ship, tank)\nIt is tank.", {TANK}),
    ("Among the candidate categories, ship and harbor are visible.", {SHIP, HARBOR}),
    ("The target categories are ship and harbor.", {SHIP, HARBOR}),
    ("I recognize the following categories: ship, harbor.", {SHIP, HARBOR}),
    ("<think>aircraft, bridge?</think>car", {CAR}),
    ("aircraft carrier", {SHIP}),
    ("Ｓｈｉｐ", {SHIP}),
]


@pytest.mark.parametrize(("text", "categories"), CLASSIFICATION)
def test_classification(reader, text, categories):
    assert reader.classification(text) == sum(1 << category for category in categories)


# (category, region) pairs; a number in third place says how often.
PLACES = [
    ("A small ship is visible in the bottom left portion of the image", [(SHIP, BL)]),
    (
        "A small ship is visible in the bottom left portion of the image There is one more small ship on the left side "
        "of the image There is a large harbor in the central region",
        [(SHIP, BL), (SHIP, ML), (HARBOR, MC)],
    ),
    (
        "In the figure, a small ship can be seen located at top left, and there is also a large harbor at the right",
        [(SHIP, TL), (HARBOR, MR)],
    ),
    ("In the bottom left portion there is a small ship.", [(SHIP, BL)]),
    ("In the top left there are a ship and a harbor.", [(SHIP, TL), (HARBOR, TL)]),
    ("The top right corner contains two small ships.", [(SHIP, TR, 2)]),
    ("Two ships in the top left and three in the bottom right.", [(SHIP, TL, 2), (SHIP, BR, 3)]),
    ("Three ships: one in the top left, two in the bottom right.", [(SHIP, TL), (SHIP, BR, 2)]),
    ("Ships are located at the top left, middle left and bottom center.", [(SHIP, TL), (SHIP, ML), (SHIP, BC)]),
    ("There are ships and a harbor in the top left.", [(SHIP, TL), (HARBOR, TL)]),
    ("A ship in the top left and a tank in the bottom right", [(SHIP, TL), (TANK, BR)]),
    ("In the top left is a ship, in the bottom right a tank", [(SHIP, TL), (TANK, BR)]),
    ("In the top left there is a ship and a tank in the bottom right.", [(SHIP, TL), (TANK, BR)]),
    (
        "There are three ships in the image. One is located in the top left, another is in the middle right. The third "
        "is at the bottom.",
        [(SHIP, TL), (SHIP, MR), (SHIP, BC)],
    ),
    ("There are two ships in the image. They are both in the top left.", [(SHIP, TL, 2)]),
    ("There is a ship. It is in the top left.", [(SHIP, TL)]),
    ("Ships:\n- top left\n- bottom right", [(SHIP, TL), (SHIP, BR)]),
    ("- Top left: a ship\n- Bottom right: a tank", [(SHIP, TL), (TANK, BR)]),
    ("**Top left**: ship, harbor", [(SHIP, TL), (HARBOR, TL)]),
    ("Top left:\n- a ship\n- a tank\nBottom right:\n- a car", [(SHIP, TL), (TANK, TL), (CAR, BR)]),
    ("| ship | top left |\n| tank | bottom right |", [(SHIP, TL), (TANK, BR)]),
    ('[{"label": "ship", "position": "top left"}, {"label": "car", "position": "right"}]', [(SHIP, TL), (CAR, MR)]),
    ('[{"region": "top left", "category": "ship"}, {"region": "left", "category": "car"}]', [(SHIP, TL), (CAR, ML)]),
    # grounding
    (
        f"There are 4 ships: one in the bottom center portion {BOX}, one in the top left portion {BOX}, one in the top "
        f"left portion {BOX}, one in the right portion {BOX}. There is a harbor in the top right portion {BOX}. The "
        "ship is far from the harbor.",
        [(SHIP, BC), (SHIP, TL, 2), (SHIP, MR), (HARBOR, TR)],
    ),
    (
        f"There are 2 ships in the bottom left: one in the bottom left portion {BOX}, another in the middle left "
        f"portion {BOX}.",
        [(SHIP, BL), (SHIP, ML)],
    ),
    (
        f"There are 2 ships in the bottom left, one in the bottom left part {BOX}, another in the middle left {BOX}.",
        [(SHIP, BL), (SHIP, ML)],
    ),
    (
        f"There are 2 ships in the bottom left. One is in the bottom left {BOX} and another in the middle left {BOX}.",
        [(SHIP, BL), (SHIP, ML)],
    ),
    ("There are 47 ships, mostly in the top left and middle left.", [(SHIP, TL), (SHIP, ML)]),
    ("There are 47 ships, mostly in the top left.", [(SHIP, TL)]),
    ("There are 47 ships in the top left.", [(SHIP, TL)]),
    ("There are 12 ships, mainly in the center.", [(SHIP, MC)]),
    ("Many ships are concentrated in the top left and the top center.", [(SHIP, TL), (SHIP, TC)]),
    (f"There are 3 ships in the top left {BOX}{BOX}{BOX}.", [(SHIP, TL, 3)]),
    (f"ship {BOX} (top left), ship {BOX} (top right)", [(SHIP, TL), (SHIP, TR)]),
    # relations and directions are no places
    ("The ship is to the left of the harbor.", []),
    ("There is a ship in the top left, to the right of the harbor.", [(SHIP, TL)]),
    ("The ship in the top left is close to the harbor.", [(SHIP, TL)]),
    ("A ship near the harbor in the top right", [(SHIP, TR)]),
    ("The ship is far from the harbor, in horizontal direction.", []),
    ("The harbor is on the right side of the bridge.", []),
    ("The ship lies above the bridge, at the bottom of the image.", [(SHIP, BC)]),
    # negated
    ("There are no ships in the top left.", []),
    ("There are no ships in the top left, but a car is in the center.", [(CAR, MC)]),
    ("No tanks. A bridge in the center.", [(BRIDGE, MC)]),
    # no category at hand
    ("The water covers the lower part of the image.", []),
    ("A ship is visible. The water covers the lower part of the image.", []),
    ("", []),
    # two steps
    ("A ship on the left side near the bottom", [(SHIP, BL)]),
    ("A ship at the top, slightly to the right", [(SHIP, TR)]),
    ("Is there a ship in the center? There is a tank at the top.", [(TANK, TC)]),
    (
        "A small ship is located in the upper-right corner, while a large bridge spans the lower left.",
        [(SHIP, TR), (BRIDGE, BL)],
    ),
]


@pytest.mark.parametrize(("text", "pairs"), PLACES)
def test_places(reader, text, pairs):
    expected, found = Counter(), Counter()
    for category, region, *times in pairs:
        expected[category, region] += times[0] if times else 1
    for category, region, times in reader.places(text)[0].pairs:
        found[category, region] += times
    assert found == expected


SIZES_OF_PLACES = [
    ("A small ship in the top left, a large harbor on the right", [(SHIP, SMALL), (HARBOR, LARGE)]),
    ("The ship in the top left is small.", [(SHIP, SMALL)]),
    ("A medium-sized aircraft", [(AIRCRAFT, MEDIUM)]),
    ("A large body of water. A ship.", []),
    ("No small ships", []),
]


@pytest.mark.parametrize(("text", "sizes"), SIZES_OF_PLACES)
def test_sizes_of_places(reader, text, sizes):
    assert [size[:2] for size in reader.places(text)[0].sizes] == sizes


CLOSE, FAR, HORIZONTAL, VERTICAL, DIAGONAL = range(5)
RELATIONS = [
    ("The ship is far from the harbor.", [(SHIP, HARBOR, FAR)]),
    (
        "The nearest ship is close to the harbor, in diagonal direction.",
        [(SHIP, HARBOR, CLOSE), (SHIP, HARBOR, DIAGONAL)],
    ),
    (
        "The harbor is close to the nearest ship, in vertical direction.",
        [(SHIP, HARBOR, CLOSE), (SHIP, HARBOR, VERTICAL)],
    ),
    ("The bridge and the car are far apart.", [(CAR, BRIDGE, FAR)]),
    ("The ship is near the bridge.", [(SHIP, BRIDGE, CLOSE)]),
    ("A ship near the top left and a harbor in the center.", []),
    ("There is a ship in the top left. There is a harbor.", []),
]


@pytest.mark.parametrize(("text", "relations"), RELATIONS)
def test_relations(reader, text, relations):
    assert reader.places(text)[0].relations == relations


BOXES = [
    ("paper", "{<1><2><3><4>}", ["1 2 3 4"]),
    ("paper", "{ < 1 > < 2 > < 3 > < 4 > }", ["1 2 3 4"]),
    ("paper", "{<1>,<2>,<3>,<4>}", ["1 2 3 4"]),
    ("paper", "<1><2><3><4>", ["1 2 3 4"]),
    ("paper", "{<1.5><2><3.25><4.>}", ["1.5 2 3.25 4."]),
    ("paper", "{<-1><2><3><4>}", ["-1 2 3 4"]),
    ("paper", "{<1><2><3><4>", ["1 2 3 4"]),
    ("paper", "{<1><2><3><4", []),
    ("paper", "{<1><2><3>}", []),
    ("paper", "{<1><2><3><4>}{<5><6><7><8>}", ["1 2 3 4", "5 6 7 8"]),
    ("paper", "{<nan><2><3><4>}", []),
    ("paper", "[1, 2, 3, 4]", []),
    ("paper", "{{{{{<<<<<", []),
    ("paper", "<think>{<1><2><3><4>}</think>{<5><6><7><8>}", ["5 6 7 8"]),
    ("box", "<box>[[1, 2, 3, 4]]</box>", ["1 2 3 4"]),
    ("box", "<box>[[1, 2, 3, 4], [5, 6, 7, 8]]</box>", ["1 2 3 4", "5 6 7 8"]),
    ("box", "<ref>ship</ref><box>(1,2),(3,4)</box>", ["1 2 3 4"]),
    ("box_start", "<|object_ref_start|>ship<|object_ref_end|><|box_start|>(1,2),(3,4)<|box_end|>", ["1 2 3 4"]),
    ("bbox_2d", '```json\n[{"bbox_2d": [1, 2, 3, 4], "label": "ship"}]\n```', ["1 2 3 4"]),
    ("list", "The ship is at [1, 2, 3, 4].", ["1 2 3 4"]),
    ("list", "[0.1, 0.25, 0.5, 1]", ["0.1 0.25 0.5 1"]),
    ("list", "(1, 2, 3, 4)", ["1 2 3 4"]),
    ("list", "[[1,2],[3,4]]", ["1 2 3 4"]),
    ("list", "[1, 2, 3]", []),
    ("list", "[1, 2, 3, 4, 5]", []),
    ("det", "<|ref|>ship<|/ref|><|det|>[[1, 2, 3, 4], [5, 6, 7, 8]]<|/det|>", ["1 2 3 4", "5 6 7 8"]),
]


@pytest.mark.parametrize(("notation", "text", "boxes"), BOXES)
def test_boxes(modules, notation, text, boxes):
    reader = modules("reading").Reader(modules("lexicon").Lexicon(), modules("boxes").NOTATIONS[notation])
    numbers = reader.boxes(text)
    assert [" ".join(numbers[k : k + 4]) for k in range(0, len(numbers), 4)] == boxes


def test_a_vocabulary_of_its_own(modules):
    names = ("small vehicle", "large vehicle", "plane", "swimming pool")
    reader = modules("reading").Reader(modules("lexicon").Lexicon(names), modules("boxes").NOTATIONS["paper"])
    assert reader.identification("a very small small vehicle in the top left") == (0, VERY_SMALL, TL, -1)
    assert reader.identification("a very small vehicle") == (0, -1, -1, -1)
    assert reader.identification("a large-vehicle") == (1, -1, -1, -1)
    assert reader.identification("a small large vehicle") == (1, SMALL, -1, -1)
    assert reader.identification("an airplane") == (2, -1, -1, -1)
    assert reader.identification("swimming pools") == (3, -1, -1, -1)
    assert reader.identification("a ship") == (-1, -1, -1, -1)


def test_two_words_for_one_thing_in_a_vocabulary_are_told_apart(modules):
    reader = modules("reading").Reader(
        modules("lexicon").Lexicon(("ship", "boat")), modules("boxes").NOTATIONS["paper"]
    )
    assert [reader.classification(text) for text in ("a ship", "a boat", "a vessel")] == [1, 2, 0]
