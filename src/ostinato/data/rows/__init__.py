"""Tables and labelled lines of any kind, read row by row in constant memory."""

from ostinato.data.rows.names import Choice, column_of
from ostinato.data.rows.numbers import is_missing, number
from ostinato.data.rows.opening import Format, open_rows
from ostinato.data.rows.row import Row, Rows

__all__ = ["Choice", "Format", "Row", "Rows", "column_of", "is_missing", "number", "open_rows"]
