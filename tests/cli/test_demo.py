"""The demonstration: the text it collects, and the whole of it at a small size."""

import sysconfig
from pathlib import Path

from ostinato.cli import demo
from ostinato.training.config import Model, Training

LIBRARY = Path(sysconfig.get_path("stdlib"))


def test_the_text_is_plain_source_always_the_same_and_of_a_known_size():
    text = demo.collect(LIBRARY, 500_000)
    assert text == demo.collect(LIBRARY, 500_000)
    assert 400_000 < len(text) < 501_000
    assert text.isascii()
    assert "def " in text


def test_tests_and_other_peoples_packages_are_left_out(tmp_path):
    for name in ("a.py", "site-packages/b.py", "test/c.py", "d.txt", "deep/e.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"# {name}")
    assert sorted(demo.collect(tmp_path, 1000).splitlines()) == ["# a.py", "# deep/e.py"]


def test_the_demonstration_ends_with_a_trained_text_and_what_to_type_next(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "MOST_BYTES", 60_000)
    monkeypatch.setattr(demo, "TRAINING_S", 0.1)
    monkeypatch.setattr(demo, "MODEL", Model(hidden_size=16, num_layers=1))
    monkeypatch.setattr(demo, "TRAINING", Training(batch_size=4, k1=16, sample_length=20))
    assert demo.main() == 0
    shown = capsys.readouterr().out
    parts = ["Untrained, the model writes:", "Training begins.", "Trained, it writes:", "What to type next:"]
    assert [part for part in parts if part not in shown] == []
    assert shown.index(parts[0]) < shown.index(parts[2])


def test_a_machine_that_is_too_slow_stops_in_time(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "MOST_BYTES", 60_000)
    monkeypatch.setattr(demo, "LIMIT_S", 2.0)
    monkeypatch.setattr(demo, "MODEL", Model(hidden_size=16, num_layers=1))
    monkeypatch.setattr(demo, "TRAINING", Training(batch_size=4, k1=16, sample_length=20))
    assert demo.main() == 0
    assert "Too slow today" in capsys.readouterr().out
