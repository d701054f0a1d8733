"""Verdicts on the claims of papers.

A number goes from its file to a row of ``claims.csv`` in four steps, down the modules once:

1. a reader of ``quantities`` turns stored columns into ``Series``: curves along one run;
2. ``resampling`` turns curves into a ``Sample``: the number of one run, with replicates for its error;
3. ``null.Statements`` arranges the samples of all runs of a claim as ``Numbers``, which ``verdicts`` tests;
4. ``judgement`` writes the decisive number, its p and its chance into a ``Judgement``, the row.
"""
