"""Check the formulas in the texts of figures before anything is measured."""

from collections.abc import Mapping
from typing import Any

from sharpest.config.study_files import texts_in
from sharpest.errors import ConfigError


def check_formulas(studies: Mapping[str, Any]) -> None:
    """Check that matplotlib can draw every formula. Matplotlib is imported only if there is one: half a second.

    Args:
        studies: Studies that are drawn, by name.

    Raises:
        ConfigError: If a formula has an unknown symbol or a syntax error; names the study, the key and the place.
    """
    texts = [
        (name, key, text)
        for name, study in studies.items()
        for key, text in texts_in(study.model_dump(exclude={"caption"}))
        if "$" in text.replace(r"\$", "")
    ]
    if not texts:
        return
    from matplotlib.mathtext import MathTextParser

    parser = MathTextParser("path")
    for name, key, text in texts:
        try:
            parser.parse(text)
        except ValueError as error:
            reason = str(error).splitlines()[-1].partition(": ")[2].partition(", found")[0]
            raise ConfigError(
                f"study {name}: {key} {text!r} is not a formula that matplotlib draws ({reason}); correct it, or write "
                r"\$ for a dollar"
            ) from None
