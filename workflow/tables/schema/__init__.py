"""What tables share: the types and meanings of columns, CSV files, and computing a table by its name."""
