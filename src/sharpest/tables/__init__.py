"""Tables, one module per kind: numbers from results files, and their print beside the paper's."""
