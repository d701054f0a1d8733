"""The paper's architectures, and the flat parameter vector by which they are trained and measured."""
