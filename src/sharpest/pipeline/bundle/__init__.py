"""Results that travel: what figures, tables, claims and the report are made from, in one file."""
