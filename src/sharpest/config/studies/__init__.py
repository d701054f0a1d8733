"""What is behind each figure and table, and how it is drawn: one module for each kind of study."""
