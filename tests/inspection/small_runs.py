"""Small trained models to inspect."""

import ostinato
from ostinato.inspection.subject import Subject, open_subject


def trained(folder, **settings) -> Subject:
    """Train a language model for a step and open it."""
    (folder / "text.txt").write_text("to be or not to be that is the question " * 60)
    ostinato.train_language_model(
        folder / "text.txt", out=folder / "run", steps=1, sample_length=0, progress=False, **settings
    )
    return open_subject(folder / "run", steps=20, rows=2)
