"""Language models without recurrence, from the command line to a text they write."""

import pytest

WORDS = ["--tokens", "word", "--vocabulary-size", "12", "--threads", "1", "--sample-length", "0"]
WINDOW = ["--baseline", "window-mlp", "--window", "2", "--hidden-size", "8", "--steps", "4", "--batch-size", "4"]


@pytest.mark.parametrize(
    ("name", "flags"), [("kneser-ney", ["--baseline", "kneser-ney", "--order", "3"]), ("window", WINDOW)]
)
def test_a_baseline_is_trained_evaluated_and_written_with(main, name, flags):
    code, out, err = main("train", "language-model", "book.txt", *WORDS, *flags, "--out", f"runs/{name}")
    assert (code, err) == (0, "")
    assert ("symbols counted" if name == "kneser-ney" else "nats at step") in out
    code, out, err = main("evaluate", f"runs/{name}", "book.txt")
    assert (code, err) == (0, "")
    assert "perplexity" in out
    code, out, err = main("generate", f"runs/{name}", "--length", "6", "--seed", "1")
    assert (code, err) == (0, "")
    assert out.strip()


def test_a_baseline_that_does_not_exist_suggests_the_nearest(main):
    code, _, err = main("train", "language-model", "book.txt", "--baseline", "kneser")
    assert code == 2
    assert "kneser-ney" in err


def test_n_grams_do_not_go_on(main):
    flags = ["--baseline", "kneser-ney", "--out", "runs/counts"]
    assert main("train", "language-model", "book.txt", *WORDS, *flags)[0] == 0
    code, _, err = main("train", "language-model", "--out", "runs/counts", "--resume")
    assert code == 2
    assert "Leave it out" in err
