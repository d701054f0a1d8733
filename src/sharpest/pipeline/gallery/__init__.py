"""The gallery of the docs: finished figures and tables with their costs and claims."""
