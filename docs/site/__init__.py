"""The documentation as a folder of pages: one for each cell of the catalogue, made from the cell itself.

    catalogue ─ cell_page, pictures, speeds ─▶ Markdown and SVG ─ Sphinx (conf.py) ─▶ HTML that needs no network

`python -m docs.site` builds all of it, `python -m docs.site lstm gru` two cells and what stands around them.
"""
