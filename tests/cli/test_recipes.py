"""Every recipe that ships runs for a moment, and its negative control, and both say what was published."""

import json

import numpy as np
import pytest
from idx import write_idx

from ostinato.training.config import recipe_document, recipes
from tones import write_digits

SHORT = {
    "language-model": ["book.txt", "--steps", "2", "--sample-length", "5"],
    "task": ["--steps", "2", "--validate-every", "2", "--test-sequences", "20"],
    "reservoir": ["--steps", "400", "--washout", "150", "--hidden-size", "30"],
    "influence-balancing": ["--steps", "200"],
}
CLASSIFIED = {
    "sst2": "texts.csv",
    "surnames": "texts.csv",
    "mnist-rows": "train-images-idx3-ubyte",
    "mnist-pixels": "train-images-idx3-ubyte",
}
"""Recipe → the small file it learns from here; other classifiers learn from frames."""
FORECAST = {"etth1": "series.csv", "sunspots": "series.csv", "jsb": "rolls.json", "jsb-nade": "rolls.json"}
"""Recipe → the small series it learns from here, with the lengths of what is kept."""
TAGGED = {"ewt-upos": "tagged.conllu", "wnut17": "tagged.conll", "occupancy": "sensor.csv"}
PAIRS = {
    "multi30k": "pairs.tsv",
    "tatoeba": "pairs.tsv",
    "addition": "generated:addition?digits=2&items=60",
    "cmudict": "words.dict",
    "sigmorphon-turkish": "inflections",
}
"""Recipe of a translator → what it learns from here."""
SEEN = {
    "color-names": ["colours.csv"],
    "shapes-captions": ["generated:shapes?items=40", "--validation", "0.2"],
    "shapes-questions": ["generated:shapes?items=40&questions=true", "--validation", "0.2"],
}
"""Recipe of a captioner → what it learns from here."""
WITH_CONTROL = [name for name in recipes() if "control" in recipe_document(name)]


@pytest.fixture(autouse=True)
def files(folder):
    """Put the small files that recipes over a person's own files are run on beside the text."""
    write_digits(folder / "digits.tar.gz")
    (folder / "colours.csv").write_text("name,hex\n" + "".join(f"no {k},#{k:06x}\n" for k in range(100)))
    (folder / "pairs.tsv").write_text("".join(f"wort {k}\tword {k}\n" for k in range(200)))
    rows = [f"word{k % 7} {'up' if k % 2 else 'down'},{k % 2}" for k in range(60)]
    (folder / "texts.csv").write_text("\n".join(["text,label", *rows]))
    draw, labels = np.random.default_rng(0), np.arange(40) % 4
    np.savez(folder / "frames.npz", x=draw.normal(size=(40, 9, 3)).astype(np.float32), y=labels)
    hours = np.arange("2024-01-01", "2024-01-06", dtype="datetime64[h]")
    rows = [f"{time},{k % 24 + draw.normal():.3f}" for k, time in enumerate(hours)]
    (folder / "series.csv").write_text("\n".join(["date,OT", *rows]))
    pieces = [[[60, 60 + k % 5], [62]] * 5 for k in range(6)]
    (folder / "rolls.json").write_text(json.dumps({"train": pieces, "valid": pieces[:1], "test": pieces[1:2]}))
    write_idx(folder / "train-images-idx3-ubyte", draw.integers(0, 256, (40, 28, 28)))
    write_idx(folder / "train-labels-idx1-ubyte", labels)
    columns = "\n".join(f"Ada{k}\tB-person\nsees\tO\n" for k in range(40))
    (folder / "tagged.conll").write_text(columns)
    blank = "\t".join("_" * 6)
    words = "\n".join(f"1\tAda{k}\t_\tPROPN\t{blank}\n2\tsees\t_\tVERB\t{blank}\n" for k in range(40))
    (folder / "tagged.conllu").write_text(words)
    numbers = "".join(f"{draw.normal():.3f},{k // 9 % 2}\n" for k in range(400))
    (folder / "sensor.csv").write_text(f"Light,Occupancy\n{numbers}")
    words = [(a + b + c, f"{a.upper()} AH0 {c.upper()}") for a in "bdfgk" for b in "aeiou" for c in "lmnprstvz"]
    (folder / "words.dict").write_text("".join(f"{word}  {phones}\n" for word, phones in words))
    (folder / "inflections").write_text("".join(f"{word}\t{word}ler\tN;PL\n" for word, _ in words))


def given(recipe: str) -> list[str]:
    """Return what follows a recipe so that it runs for a moment only."""
    kind = recipe_document(recipe)["kind"]
    if recipe in FORECAST:
        kept = ["--validation", "30", "--test", "30", "--origins", "11", "--samples", "4", "--states", "3"]
        file = FORECAST[recipe]
        return [file, "--hidden-size", "8", "--steps", "2", *(kept if file == "series.csv" else kept[-4:])]
    if kind == "translator":
        short = ["--hidden-size", "8", "--embedding-size", "8", "--steps", "2", "--max-length", "5"]
        return [PAIRS[recipe], "--test", "0.2", *short]
    if kind == "captioner":
        short = ["--hidden-size", "8", "--channels", "4,4", "--steps", "2", "--max-length", "5"]
        return [*SEEN[recipe], "--test", "0.2", *short]
    if kind == "transcriber":
        return ["digits.tar.gz", "--strings", "20", "--test-strings", "5", "--hidden-size", "8", "--steps", "2"]
    if kind not in ("classifier", "tagger"):
        return SHORT[kind]
    file = TAGGED[recipe] if kind == "tagger" else CLASSIFIED.get(recipe, "frames.npz")
    return [file, "--test", "0.2", "--hidden-size", "8", "--steps", "2"]


def run(main, recipe: str, *more: str) -> str:
    code, out, err = main("train", "--recipe", recipe, *given(recipe), *more)
    assert (code, err) == (0, "")
    return out


@pytest.mark.parametrize("recipe", recipes())
def test_a_recipe_runs_for_a_moment(main, recipe):
    out = run(main, recipe)
    assert recipe_document(recipe).get("published", "") in out


@pytest.mark.parametrize("recipe", WITH_CONTROL)
def test_a_recipe_s_negative_control_runs_and_differs(main, folder, recipe):
    out = run(main, recipe, "--control", "--out", "runs/control")
    assert recipe_document(recipe)["control"]["expected"] in out
    run(main, recipe, "--out", "runs/other")
    control, other = ((folder / "runs" / name / "config.yaml").read_text() for name in ("control", "other"))
    assert control != other


@pytest.mark.parametrize("recipe", recipes())
def test_the_result_a_recipe_reaches_is_published_with_its_control(recipe):
    document = recipe_document(recipe)
    assert ("published" in document) == ("control" in document)
    assert "expected" in document.get("control", {"expected": ""})


def test_a_recipe_of_another_kind_is_refused_with_the_command_it_is_for(main):
    code, _, err = main("train", "language-model", "book.txt", "--recipe", "irnn-adding")
    assert code == 2
    assert "Type: ostinato train task --recipe irnn-adding" in err


def test_a_control_without_a_recipe_is_refused(main):
    assert "Add --recipe" in main("train", "task", "adding", "--control")[2]


def test_an_unknown_recipe_suggests_the_nearest_before_any_command_is_known(main):
    assert "Did you mean 'irnn-adding'" in main("train", "--recipe", "irnn-ading")[2]
