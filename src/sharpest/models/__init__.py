"""Architectures of the paper, and the flat parameter vector through which they are trained and measured."""
