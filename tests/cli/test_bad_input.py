"""Bad input gets a clear error, exit code 2, no traceback, and nothing is lost."""

import shutil
import signal
import sys
from pathlib import Path

import pytest
from command_line import SMALL
from safetensors.torch import save_file

TRAIN = ["train", "language-model"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def bad(folder) -> Path:
    """Return a folder with files that cannot be learned from."""
    (folder / "empty.txt").touch()
    (folder / "short.txt").write_text("too short")
    (folder / "latin.txt").write_bytes("déjà vu, ".encode("latin-1") * 500)
    (folder / "zipped.txt").write_bytes(b"\x1f\x8b\x08\0" + bytes(range(256)) * 20)
    (folder / "lines.jsonl").write_text('{"text": "one"}\nnot json\n')
    (folder / "wrong.yaml").write_text("training:\n  clip_nrom: 3\n")
    (folder / "bad.eq").write_text("h' = tanh(W @ x + U @ hh + b\n")
    (folder / "texts").mkdir()
    (folder / "texts" / "a.txt").write_text("a")
    return folder


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["empty.txt"], "the file is empty"),
        (["short.txt"], "a lane holds only"),
        (["latin.txt"], "byte 0xe9 at offset 1"),
        (["latin.txt"], "--tokens byte"),
        (["zipped.txt"], "gzip"),
        (["bok.txt"], "Did you mean 'book.txt'?"),
        (["texts"], "a directory"),
        (["lines.jsonl"], "lines.jsonl, line 2"),
        (["lines.jsonl", "--column", "body"], "no column 'body'"),
        (["book.txt", "--column", "body"], "column"),
        (["book.txt", "--encoding", "utf-9"], "utf-9"),
        (["book.txt", "--validation", "none.txt"], "none.txt"),
        (["book.txt", "--cell", "lstn"], "Did you mean 'lstm'?"),
        (["book.txt", "--cell", "bad.eq"], "bad.eq, line 1, column"),
        (["book.txt", "--cell", "none.eq"], "none.eq: there is no such file"),
        (["book.txt", "--config", "wrong.yaml"], "unknown key 'clip_nrom'. Did you mean 'clip_norm'?"),
        (["book.txt", "--config", "none.yaml"], "none.yaml: there is no such file"),
        (["book.txt", "--recipe", "tinyshakespear"], "Did you mean 'tinyshakespeare'?"),
        (["book.txt", "--optimizer", "adma"], "adam"),
        (["book.txt", "--on-nan", "ignore"], "skip"),
        (["book.txt", "--hidden-size", "many"], "hidden-size"),
        (["book.txt", "--hidden-size", "-1"], "--hidden-size: -1"),
        (["book.txt", "--seed", "99999999999999999999"], "--seed"),
        (["book.txt", "--threads", "100000"], "threads is 100000. It is at most"),
        (["book.txt", "--cell", "h' = tanh(W @ x + dt * h)"], "it uses dt"),
        (["book.txt", "--batch-size", "0"], "batch_size is 0"),
        (["book.txt", "--k1", "5000"], "a lane holds only"),
        (["book.txt", "--k2", "0"], "k2 is 0"),
        (["book.txt", "--out", "book.txt"], "this is a file"),
        (["book.txt", "--out", "book.txt/run"], "book.txt: this is a file"),
        (["."], "directory"),
        (["book.txt", "--out", "texts"], "the folder holds files but no run"),
        (["book.txt", "--out", "texts", "--overwrite"], "the folder holds files but no run"),
        (["--resume", "--out", "runs/none"], "no run is there to go on with"),
        (["--resume"], "no text was given"),
        (["book.txt", "--resume", "--overwrite"], "--overwrite"),
        ([], "PATH"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_training_refuses_and_leaves_everything_as_it_was(main, bad, typed, said):
    before = contents(bad)
    sizes = [] if "--out" in typed and "--resume" in typed else SMALL
    code, _, err = main(*TRAIN, *typed[:1], *sizes, *typed[1:])
    assert code == 2
    assert said in err
    assert contents(bad) == before
    assert not (bad / "runs").exists() or not list((bad / "runs").iterdir())


def test_a_taken_run_folder_is_refused_and_kept(main, folder):
    main(*TRAIN, "book.txt", *SMALL)
    before = contents(folder)
    code, _, err = main(*TRAIN, "book.txt", *SMALL)
    assert code == 2
    assert "a run is already there. Go on with it by --resume, begin anew by --overwrite" in err
    assert contents(folder) == before


def test_a_run_folder_given_as_the_text_says_how_to_go_on(main, folder):
    main(*TRAIN, "book.txt", *SMALL)
    code, _, err = main(*TRAIN, "runs/book")
    assert code == 2
    assert "ostinato train language-model --out runs/book --resume" in err


def test_overwriting_with_a_text_that_cannot_be_read_keeps_the_run(main, bad):
    main(*TRAIN, "book.txt", *SMALL)
    before = contents(bad)
    assert main(*TRAIN, "latin.txt", "--out", "runs/book", "--overwrite", *SMALL)[0] == 2
    assert contents(bad) == before


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda run: (run / "model.safetensors").write_bytes(b"damaged"), "damaged, or not a safetensors file"),
        (lambda run: save_file({}, run / "model.safetensors"), "were not written by Ostinato"),
        (lambda run: (run / "model.safetensors").unlink(), "the run has no model yet"),
        (lambda run: (run / "tokenizer.json").write_text("{}"), "tokenizer.json"),
        (lambda run: (run / "tokenizer.json").unlink(), "tokenizer.json"),
        (lambda run: (run / "config.yaml").unlink(), "config.yaml is missing"),
        (lambda run: (run / "config.yaml").write_text("kind: [\n"), "config.yaml, line"),
        (lambda run: shutil.rmtree(run), "there is no such run folder"),
    ],
)
def test_a_damaged_run_is_named_by_generate(main, folder, damage, said):
    main(*TRAIN, "book.txt", *SMALL)
    damage(folder / "runs" / "book")
    code, _, err = main("generate", "runs/book")
    assert code == 2
    assert said in err


def test_a_damaged_checkpoint_is_named_by_resume(main, folder):
    main(*TRAIN, "book.txt", *SMALL)
    (folder / "runs/book/state/last.safetensors").write_bytes(b"damaged")
    code, _, err = main(*TRAIN, "--out", "runs/book", "--resume", "--steps", "20")
    assert code == 2
    assert "last.safetensors: damaged" in err


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--prompt", "déjà"], "'é' (U+00E9)"),
        (["--length", "-1"], "length"),
        (["--top-p", "2"], "top_p"),
        (["--top-k", "0"], "top_k"),
        (["--stop", ""], "stop"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_generate_refuses_what_cannot_be(main, typed, said):
    main(*TRAIN, "book.txt", *SMALL)
    code, _, err = main("generate", "runs/book", *typed)
    assert code == 2
    assert said in err


@pytest.mark.parametrize("file", ["empty.txt", "none.txt", "texts", "latin.txt"])
def test_evaluate_refuses_what_cannot_be_read(main, bad, file):
    main(*TRAIN, "book.txt", *SMALL)
    code, _, err = main("evaluate", "runs/book", file)
    assert code == 2
    assert file in err


@pytest.mark.parametrize(
    "typed", [["none.txt"], ["book.txt", "--k1", "5000"], ["book.txt", "--cell", "lstn"]], ids=" ".join
)
def test_no_traceback_reaches_a_user(ostinato, typed):
    ended = ostinato(*TRAIN, *typed)
    assert ended.returncode == 2
    assert ended.stderr.startswith("ostinato: ")
    assert len(ended.stderr.splitlines()) == 1


def test_a_folder_that_cannot_be_written_is_named(ostinato, folder):
    (folder / "runs").write_text("a file where the folder should be")
    ended = ostinato(*TRAIN, "book.txt", *SMALL)
    assert ended.returncode in (1, 2)
    assert "Traceback" not in ended.stderr
    assert "runs" in ended.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="the limit on file sizes is a Unix one")
def test_a_full_disk_is_named_and_leaves_no_broken_run(ostinato, folder):
    import resource

    def small_disk():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    # no compiled loop, whose library would be the first file that does not fit
    ended = ostinato(*TRAIN, "book.txt", *SMALL, "--hidden-size", "64", "--engine", "vendor", preexec_fn=small_disk)
    assert ended.returncode == 1
    assert ended.stderr.startswith("ostinato: runs/book/")
    assert len(ended.stderr.splitlines()) == 1
    again = ostinato(*TRAIN, "--out", "runs/book", "--resume")
    assert again.returncode == 0, again.stderr
