"""Figures, tables and pictures of what models say, by the libraries the field trusts; one file a kind of answer."""
