"""Judge the claims of the papers on the measurements. Does not import torch."""
