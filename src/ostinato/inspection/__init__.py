"""The report of a trained model: what `ostinato.diagnostics` measures of it, drawn and said in plain words."""
