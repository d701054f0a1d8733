"""Run the tests of the core in every environment of envs/matrix.toml: python tests/matrix.py [FOLDER]

Each environment is created in FOLDER (.matrix by default) and kept there; an existing one is reused unchanged.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOOLS = ("pytest", "hypothesis", "pydantic")  # pydantic: tests of the engine use the paper's nets


def environments() -> list[dict[str, str]]:
    """The versions of each environment, by name."""
    matrix: dict[str, list[dict[str, str]]] = tomllib.loads((ROOT / "envs/matrix.toml").read_text())
    return matrix["environment"]


def folder_of(environment: dict[str, str]) -> str:
    """The name of the folder of an environment."""
    return f"python{environment['python']}-torch{environment['torch']}"


def make(environment: dict[str, str], folder: Path) -> Path:
    """The interpreter of an environment, which is made if it is missing."""
    interpreter = folder / "bin/python"
    if not interpreter.exists():
        packages = [f"{name}=={version}" for name, version in environment.items() if name != "python"]
        subprocess.run([f"python{environment['python']}", "-m", "venv", folder], check=True)
        pip = [interpreter, "-m", "pip", "install", "--quiet", "numpy", "scipy", "h5py", *packages, *TOOLS]
        if subprocess.run(pip, check=False).returncode:
            shutil.rmtree(folder)
            raise SystemExit(f"{folder}: cannot be installed")
    return interpreter


def passes(environment: dict[str, str], folder: Path) -> bool:
    """Whether the tests of the core pass in an environment."""
    tests = [make(environment, folder), "-m", "pytest", "--core", "-q", "-p", "no:cacheprovider"]
    variables = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(tests, cwd=ROOT, env=variables, check=False).returncode == 0


def main() -> int:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / ".matrix")
    results = {}
    for environment in environments():
        name = folder_of(environment)
        if shutil.which(f"python{environment['python']}") is None:
            results[name] = f"not tested: python{environment['python']} is missing"
        else:
            results[name] = "passes" if passes(environment, folder / name) else "FAILS"
    print("\n".join(f"{name}: {result}" for name, result in results.items()))
    return 0 if all(result == "passes" for result in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
