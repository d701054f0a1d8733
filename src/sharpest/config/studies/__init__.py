"""The runs behind each figure and table, and how they are drawn: one module for each kind of study."""
