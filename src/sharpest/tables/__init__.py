"""Tables, one module per kind: numbers from results, and their print beside the paper's."""
