"""`train captioner`, `predict` and `evaluate` as a person types them, with good files and with bad ones."""

import json
import subprocess

import pytest
from command_line import entry_point, environment
from PIL import Image

SMALL = ["--hidden-size", "8", "--embedding-size", "8", "--channels", "4,8", "--image-size", "12", "--steps", "4",
         "--batch-size", "8", "--max-length", "6", "--threads", "1"]  # fmt: skip
COLOURS = ("red", "green", "blue")


@pytest.fixture
def pictures(folder):
    lines = ["image,caption"]
    for number in range(30):
        picture = Image.new("RGB", (9, 7), COLOURS[number % 3])
        picture.paste((8 * number, 0, 90), (0, 0, 3, 3))
        picture.save(folder / f"{number}.png")
        lines.append(f"{number}.png,a {COLOURS[number % 3]} one")
    (folder / "pictures.csv").write_text("\n".join(lines) + "\n")
    return folder / "pictures.csv"


@pytest.fixture
def trained(main, pictures):
    code, out, err = main("train", "captioner", "pictures.csv", *SMALL)
    assert (code, err) == (0, "")
    return out


@pytest.fixture
def asked(main, folder, pictures):
    lines = [f'{{"image": "{k}.png", "question": "what colour?", "answer": "{COLOURS[k % 3]}"}}' for k in range(30)]
    (folder / "asked.jsonl").write_text("\n".join(lines))
    assert main("train", "captioner", "asked.jsonl", *SMALL)[0] == 0
    return folder / "asked.jsonl"


def piped(folder, run: str, text: str, *arguments: str) -> list[str]:
    return subprocess.run(
        [entry_point(), "predict", run, "--file", "-", *arguments],
        cwd=folder, env=environment(), input=text, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip


def test_training_says_what_was_found_and_what_to_type_next(trained):
    assert "read    pictures.csv: CSV with a header of 2 columns; images in 'image', captions in 'caption'" in trained
    assert (
        "model   sees 12 x 12 pixels through convolutions of 4,8; writes with 1 x 8 gru, general attention" in trained
    )
    assert "exactly right" in trained
    assert trained.rstrip().endswith("ostinato predict runs/pictures IMAGE or --file FILE")


def test_predict_answers_arguments_files_and_standard_input_alike(main, trained, folder):
    lines = main("predict", "runs/pictures", "0.png", "1.png", "--format", "tsv")[1].splitlines()
    assert len(lines) == 2
    (folder / "new.txt").write_text("0.png\n1.png\n")
    (folder / "new.csv").write_text("file,note\n0.png,x\n1.png,y\n")
    assert main("predict", "runs/pictures", "--file", "new.txt", "--format", "tsv")[1].splitlines() == lines
    named = main("predict", "runs/pictures", "--file", "new.csv", "--column", "file", "--format", "tsv")
    assert named[1].splitlines() == lines
    assert piped(folder, "runs/pictures", "0.png\n1.png\n", "--format", "tsv") == lines


def test_several_captions_have_scores_and_regions(main, trained):
    lines = main("predict", "runs/pictures", "0.png", "--n-best", "3", "--format", "tsv")[1].splitlines()
    scores = [float(line.split("\t")[1]) for line in lines]
    assert [line.split("\t")[0] for line in lines] == ["1", "2", "3"]
    assert scores == sorted(scores, reverse=True)
    flags = ["--n-best", "2", "--min-length", "2", "--format", "jsonl"]
    found = json.loads(main("predict", "runs/pictures", "0.png", *flags)[1])
    assert found["name"] == "0.png"
    assert all(len(best["regions"]) == len(best["symbols"]) >= 2 for best in found["best"])
    assert main("predict", "runs/pictures", "0.png", "--prefix", "a blue")[1].startswith("a blue")


def test_evaluate_prints_figures_with_their_signature_and_writes_a_table(main, trained, folder):
    code, out, err = main("evaluate", "runs/pictures", "pictures.csv", "--report", "seen", "--beam", "2")
    assert code == 0
    assert "nats a symbol (30 items)" in out
    assert "|version:" in out
    assert "read pictures.csv" in err
    assert {path.name for path in (folder / "seen").iterdir()} == {"pictures-written.csv", "pictures-figures.json"}


def test_the_report_shows_images_with_their_captions(trained, folder):
    names = {path.name for path in (folder / "runs" / "pictures" / "report").iterdir()}
    assert {"validation-written.csv", "validation-1.png", "figures.json"} <= names


def test_a_question_is_asked_of_all_or_of_each(main, asked, folder):
    one = main("predict", "runs/asked", "0.png", "--question", "what colour?", "--format", "tsv")[1].splitlines()
    assert len(one) == 1
    line = '{"image": "0.png", "question": "what colour?"}\n'
    assert piped(folder, "runs/asked", line, "--format", "tsv") == one
    assert piped(folder, "runs/asked", "0.png\n", "--format", "tsv", "--question", "what colour?") == one
    assert main("evaluate", "runs/asked", "asked.jsonl")[0] == 0


def test_figures_are_told_by_kind_of_question(main, folder):
    settings = [*SMALL[:-6], "--max-length", "3", "--threads", "1", "--image-size", "36"]
    code, out, _ = main("train", "captioner", "generated:shapes?questions=true&items=90", *settings, "--steps", "1")
    assert code == 0
    table = (folder / "runs/shapes/report/validation-questions.csv").read_text().splitlines()
    assert table[0] == "question,items,exact"
    assert all(line.split(",")[0] in out for line in table[1:])
    code, out, _ = main("evaluate", "runs/shapes", "generated:shapes?questions=true&items=60", "--report", "seen")
    assert code == 0
    table = (folder / "seen/shapes-questions.csv").read_text().splitlines()
    assert sum(int(line.split(",")[1]) for line in table[1:]) == 60
    for line in table[1:]:
        name, items, exact = line.split(",")
        assert f"{float(exact):.2%} of {items} exactly right" in out
        assert name in out


def test_colours_are_read_as_vectors(main, folder):
    rows = "".join(f"#{k * 5000:06x},tint {k % 4}\n" for k in range(60))
    (folder / "tints.csv").write_text(f"hex,name\n{rows}")
    code, out, _ = main("train", "captioner", "tints.csv", "--tokens", "char", *SMALL)
    assert code == 0
    assert "sees 3 numbers" in out
    lines = main("predict", "runs/tints", "#001388", "0.0 0.0745 0.5333")[1].splitlines()
    assert len(lines) == 2
    assert piped(folder, "runs/tints", "#001388\n0.0 0.0745 0.5333\n") == lines
    baseline = main("train", "captioner", "tints.csv", "--tokens", "char", "--baseline", "unigram", *SMALL)
    assert baseline[0] == 0
    assert "the baseline unigram" in baseline[1]
    assert main("compare", "runs/tints", "runs/tints-unigram")[0] == 0


def test_a_run_goes_on(main, trained):
    code, out, _ = main("train", "captioner", "--out", "runs/pictures", "--resume", "--steps", "6")
    assert code == 0
    assert "from step 4 on" in out


def test_a_generated_world_needs_no_file_and_names_its_run(main, folder):
    code, _, _ = main("train", "captioner", "generated:shapes?items=20", *SMALL)
    assert code == 0
    assert (folder / "runs" / "shapes" / "config.yaml").is_file()
    assert main("evaluate", "runs/shapes", "generated:shapes?items=5&part=test", "--report", "seen")[0] == 0
    assert {path.name for path in (folder / "seen").iterdir()} == {"shapes-written.csv", "shapes-figures.json"}


def test_images_that_cannot_be_read_are_left_out_where_asked(main, pictures, folder):
    (folder / "3.png").write_bytes(b"\x89PNG\r\n\x1a\n cut off")
    code, _, err = main("train", "captioner", "pictures.csv", *SMALL)
    assert (code, "3.png" in err, "Traceback" in err) == (2, True, False)
    code, out, _ = main("train", "captioner", "pictures.csv", "--unreadable", "skip", *SMALL)
    assert code == 0
    assert "left out 1 item that cannot be read as an image (the first: pictures.csv, line 5" in out
    (folder / "new.txt").write_text("0.png\n3.png\n4.png\n")
    code, out, err = main("predict", "runs/pictures", "--file", "new.txt")
    assert (code, len(out.splitlines())) == (0, 2)
    assert "left out 1 item" in err


@pytest.fixture
def bad(folder):
    (folder / "empty.csv").write_text("")
    (folder / "headless.csv").write_text("image,caption\n")
    (folder / "nothing").mkdir()
    (folder / "missing.csv").write_text("image,caption\n0.png,a\nnowhere.png,b\n")
    (folder / "text.npz").write_text("no archive")
    (folder / "bytes.csv").write_bytes(b"image,caption\n0.png,\xff\n")
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "there is no such file"),
        (["empty.csv"], "empty"),
        (["headless.csv"], "no rows"),
        (["nothing"], "no images in it"),
        (["missing.csv"], "nowhere.png"),
        (["text.npz"], "not a NumPy archive"),
        (["bytes.csv"], "UTF-8"),
        (["0.png"], "one image, where many are needed"),
        (["pictures.csv", "--caption-column", "captoin"], "Did you mean 'caption'"),
        (["pictures.csv", "--vector", "r,g"], "no column 'r'"),
        (["pictures.csv", "--questions", "yes"], "no column is known to be the question"),
        (["pictures.csv", "--channels", "many"], "Possible: whole numbers"),
        (["pictures.csv", "--cell", "lstn"], "lstn"),
        (["generated:shaeps"], "Did you mean 'shapes'"),
        (["generated:shapes?item=3"], "Did you mean 'items'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_message(main, pictures, bad, arguments, message):
    code, _, err = main("train", "captioner", *SMALL, *arguments)
    assert code == 2
    assert "Traceback" not in err
    assert message in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "runs/pictures", "0.png", "--format", "csv"], "--format: 'csv'. Possible: text, tsv, jsonl"),
        (["predict", "runs/pictures", "pictures.csv"], "not an image"),
        (["predict", "runs/pictures", "nowhere.png"], "there is no such file"),
        (["predict", "runs/pictures", "0.png", "--question", "why?"], "this run answers no questions"),
        (["predict", "runs/pictures", "0.png", "--n-best", "0"], "--n-best"),
        (["predict", "runs/pictures", "--file", "missing.csv"], "nowhere.png"),
        (["evaluate", "runs/pictures", "headless.csv"], "no rows"),
        (["evaluate", "runs/pictures", "pictures.csv", "--file-format", "csv"], "files by their names"),
    ],
)
def test_bad_files_to_use_a_model_on_are_refused(main, trained, bad, arguments, message):
    code, _, err = main(*arguments)
    assert code == 2
    assert "Traceback" not in err
    assert message in err
