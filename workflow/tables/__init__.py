"""One file per table: what it needs, what names its rows, its columns, and how it is computed."""
