"""Run files that ship with the package: this folder is the list that `ostinato recipes` prints."""
