"""The run folder: whole writes, refusals, the lock, and weights that are not ours."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ostinato import RunError
from ostinato.training.config import Run, to_yaml
from ostinato.training.run_folder import (
    METADATA_KEY,
    RunFolder,
    load_weights,
    read_tensors,
    write_tensors,
    write_text,
)


def begun(path: Path) -> RunFolder:
    folder = RunFolder(path)
    with folder.beginning(overwrite=False) as staging:
        write_text(staging.config, to_yaml(Run(), "0"))
        folder.settle(staging, overwrite=False)
    return folder


def test_a_text_is_replaced_and_leaves_nothing_beside_it(tmp_path):
    write_text(tmp_path / "a", "one")
    write_text(tmp_path / "a", "two")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a", "two")]


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    write_text(tmp_path / "a", "one")
    monkeypatch.setattr("os.fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match=r"No space left on device: '.*/a'"):
        write_text(tmp_path / "a", "two")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a", "one")]


def test_tensors_are_read_back_with_their_facts(tmp_path):
    shared = torch.arange(6.0).view(2, 3)
    write_tensors(tmp_path / "m", {"a": shared, "b": shared, "c": shared.t()}, {"step": 3})
    tensors, facts = read_tensors(tmp_path / "m")
    assert torch.equal(tensors["a"], shared)
    assert torch.equal(tensors["b"], shared)
    assert torch.equal(tensors["c"], shared.t())
    assert (facts["step"], facts["kind"], facts["format"]) == (3, "language-model", 1)


def test_equal_tensors_make_equal_files(tmp_path):
    write_tensors(tmp_path / "a", {"x": torch.ones(3)}, {"step": 3, "nats": 0.5})
    write_tensors(tmp_path / "b", {"x": torch.ones(3)}, {"step": 3, "nats": 0.5})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"not safetensors at all", b"\xff" * 64])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(RunError, match="damaged, or not a safetensors file"):
        read_tensors(tmp_path / "m")


@pytest.mark.parametrize("kept", [7, 50, 300])
def test_a_file_cut_short_is_named(tmp_path, kept):
    write_tensors(tmp_path / "m", {"x": torch.ones(300)}, {})
    (tmp_path / "m").write_bytes((tmp_path / "m").read_bytes()[:kept])
    with pytest.raises(RunError, match="damaged"):
        read_tensors(tmp_path / "m")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RunError, match="the file is missing"):
        read_tensors(tmp_path / "m")


def test_weights_of_another_program_are_refused(tmp_path):
    save_file({"x": torch.ones(3)}, tmp_path / "m")
    with pytest.raises(RunError, match="were not written by Ostinato"):
        read_tensors(tmp_path / "m")


def test_weights_of_another_kind_are_refused(tmp_path):
    save_file({"x": torch.ones(3)}, tmp_path / "m", {METADATA_KEY: json.dumps({"kind": "tagger", "format": 1})})
    with pytest.raises(RunError, match=r"weights of kind 'tagger'. A 'language-model' is needed"):
        read_tensors(tmp_path / "m")


def test_weights_of_a_later_format_say_which_version_wrote_them(tmp_path):
    facts = {"kind": "language-model", "format": 9, "ostinato": "7.1"}
    save_file({"x": torch.ones(3)}, tmp_path / "m", {METADATA_KEY: json.dumps(facts)})
    with pytest.raises(RunError, match=r"written in format 9 by ostinato 7.1"):
        read_tensors(tmp_path / "m")


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"weight": torch.ones(2, 3)}, "tensor 'bias' is missing"),
        ({"weight": torch.ones(5, 3), "bias": torch.ones(2)}, r"tensor 'weight' is \[5, 3\], the model's is \[2, 3\]"),
        ({"weight": torch.ones(2, 3), "bias": torch.ones(2), "more": torch.ones(1)}, "'more' is not in the model"),
    ],
)
def test_weights_that_do_not_fit_are_named(tensors, said):
    with pytest.raises(RunError, match=said):
        load_weights(Path("m"), torch.nn.Linear(3, 2), tensors)


def test_a_begun_run_is_whole_and_nothing_is_left_beside_it(tmp_path):
    folder = begun(tmp_path / "run")
    assert folder.is_run()
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_a_run_is_not_begun_over_another(tmp_path):
    begun(tmp_path / "run")
    with pytest.raises(RunError, match=r"a run is already there.*--resume.*--overwrite"):
        RunFolder(tmp_path / "run").refuse_taken(overwrite=False)


def test_a_folder_with_other_files_is_never_taken_for_a_run(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="holds files but no run"):
        RunFolder(tmp_path).refuse_taken(overwrite=True)


def test_a_file_is_not_taken_for_a_folder(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(RunError, match="this is a file"):
        RunFolder(tmp_path / "run").refuse_taken(overwrite=True)


def test_a_beginning_that_fails_leaves_an_earlier_run_as_it_was(tmp_path):
    folder = begun(tmp_path / "run")
    write_text(folder.card, "the earlier one")

    def fail():
        with folder.beginning(overwrite=True) as staging:
            write_text(staging.card, "half of the new one")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert folder.card.read_text() == "the earlier one"
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_overwriting_keeps_files_that_are_not_the_runs_own(tmp_path):
    folder = begun(tmp_path / "run")
    write_text(folder.card, "the earlier one")
    (folder.path / "notes.txt").write_text("mine")
    with folder.beginning(overwrite=True) as staging:
        write_text(staging.config, to_yaml(Run(), "1"))
        folder.settle(staging, overwrite=True)
    assert (folder.path / "notes.txt").read_text() == "mine"
    assert not folder.card.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_two_processes_cannot_hold_a_run_and_a_killed_one_lets_go(tmp_path):
    folder = begun(tmp_path / "run")
    hold = (
        "import sys, time; from pathlib import Path; from ostinato.training.run_folder import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).locked(): print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", hold, str(folder.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunError, match="another process trains into this folder"), folder.locked():
            pass
        other.kill()
    with folder.locked():
        pass


def test_metrics_beyond_the_checkpoint_and_torn_lines_are_cut(tmp_path):
    folder = RunFolder(tmp_path)
    for step in (1, 2, 3):
        folder.append_metrics({"step": step})
    with folder.metrics.open("a") as file:
        file.write('{"step": 4, "tr')
    folder.cut_metrics(2)
    assert folder.metrics.read_text() == '{"step": 1}\n{"step": 2}\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: tagger\nformat: 1\n", "holds a run of kind 'tagger'"),
        ("kind: language-model\nformat: 9\nostinato: '7.1'\n", "written in format 9 by ostinato 7.1"),
    ],
)
def test_a_run_that_cannot_be_read_says_why(tmp_path, text, said):
    folder = begun(tmp_path / "run")
    folder.config.write_text(text)
    with pytest.raises(RunError, match=said):
        folder.read_config()


def test_a_missing_run_is_named(tmp_path):
    with pytest.raises(RunError, match="there is no such run folder"):
        RunFolder(tmp_path / "none").read_config()


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(RunError, match=r"config\.yaml is missing"):
        RunFolder(tmp_path).read_config()
