"""The commands as they are typed: help, versions, exit codes, and what becomes of pipes."""

import subprocess
import sys
import time

import pytest
from command_line import SMALL, entry_point, environment

from ostinato.cli.main import COMMANDS


def test_help_answers_in_under_half_a_second(ostinato):
    times = []
    for _ in range(3):
        began = time.perf_counter()
        assert ostinato("--help").returncode == 0
        times.append(time.perf_counter() - began)
    assert min(times) < 0.5


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_does_not_import_torch(command):
    code = (
        "import sys\nfrom ostinato.cli.main import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit as stop: assert not stop.code\n"
        "assert 'torch' not in sys.modules"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, *command.split(), "--help"], env=environment(), capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert "usage: ostinato " + command in ended.stdout


def test_help_lists_every_command(main):
    code, out, _ = main("--help")
    assert code == 0
    assert [name for name in COMMANDS if name not in out] == []


def test_no_command_is_help(main):
    assert main()[1] == main("--help")[1]


def test_the_version_is_printed(main):
    import ostinato

    assert main("--version") == (0, f"ostinato {ostinato.__version__}\n", "")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["trian"], "unknown command 'trian'. Did you mean 'train'?"),
        (["xyzzy"], "unknown command 'xyzzy'. Commands: train, generate"),
        (["train"], "what to train? Type: ostinato train language-model"),
        (["train", "langage-model"], "unknown kind 'langage-model'. Did you mean 'language-model'?"),
    ],
)
def test_an_unknown_command_suggests_the_nearest(main, typed, said):
    code, _, err = main(*typed)
    assert code == 2
    assert said in err


def test_an_unknown_flag_suggests_the_nearest(main):
    code, _, err = main("train", "language-model", "book.txt", "--hidden-sise", "3")
    assert code == 2
    assert "--hidden-size" in err


def test_a_reader_who_leaves_early_is_no_error(ostinato, folder):
    ostinato("train", "language-model", "book.txt", *SMALL)
    command = [entry_point(), "generate", "runs/book", "--length", "3000", "--seed", "1"]
    with subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as writer:
        writer.stdout.read(5)
        writer.stdout.close()
        complaint = writer.stderr.read()
    assert complaint == b""


def test_train_generate_and_evaluate(ostinato):
    trained = ostinato("train", "language-model", "book.txt", *SMALL)
    assert trained.returncode == 0, trained.stderr
    assert "ostinato generate runs/book" in trained.stdout
    written = ostinato("generate", "runs/book", "--prompt", "the time", "--length", "30", "--seed", "3")
    assert written.returncode == 0, written.stderr
    assert written.stdout.startswith("the time")
    assert len(written.stdout) == len("the time") + 30 + 1
    scored = ostinato("evaluate", "runs/book", "book.txt")
    assert scored.returncode == 0, scored.stderr
    assert "bits a character" in scored.stdout
