"""The reference pages, made from the classes that check: docs/configuration.md and docs/files.md."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from sharpest.config.measure import Measure
from sharpest.config.measures import declared, measure_names
from sharpest.config.points import GRAMMAR
from sharpest.config.reading import models_in
from sharpest.config.run_id import GRAMMAR as RUN_ID_GRAMMAR
from sharpest.config.settings import ForRuns, ProjectSettings, RunKeys, ScaleFile
from sharpest.config.strict import Strict
from sharpest.config.studies.every import AnyStudy
from sharpest.results import layout as layouts
from sharpest.results.kinds import kinds_of_files
from sharpest.results.paths import Paths

COMMAND = "python -m sharpest reference"

_PATHS = Paths.of("<scale>")
_DATA = _PATHS.data("").parent
_HEAD = f"<!-- written by: {COMMAND} -->\n"

_CONFIGURATION = f"""{_HEAD}
# Configuration

| file | what it says |
|---|---|
| `config/config.yaml` | which scale, changes to its data sets, where data files are |
| `config/scales/<scale>.yaml` | the values behind runs and measurements |
| `config/substitutes/<set>.yaml` | what stands in for data that are not at hand; named with `--configfile` |
| `config/runs.tsv` | the runs: id, group, length in epochs at paper scale |
| `config/studies.yaml` | what is behind each figure and table of the paper, and how it is drawn |
| `config/beyond.yaml` | the same of figures beyond the paper |
| `config/claims.csv`, `config/claims/<paper>.csv` | what papers say: [claims.md](claims.md) |

Unknown keys are refused, and everything is checked before the first job starts. A key of `config.yaml` can also be
given on the command line: `snakemake --config scale=small`.

**Scales.** A scale that says `extends: paper` lists only what it changes: mappings are merged key by key, other values
are replaced. What differs from the paper's scale stands in the notes of every figure and at the foot of every table.

**For these runs.** What a scale says of runs, it says of all, or in the list `for_runs` of those whose ids fit a
pattern (`*` any text, `?` one letter, `[ab]` one of these):

```yaml
epochs: 20
hessian: {{examples: 256}}
for_runs:
  - {{runs: "*-plat-*", set: {{epochs: 60, patience: 10}}}}
  - {{runs: "lstm-*", set: {{clip_norm: 5, hessian: {{examples: 96}}}}}}
  - {{runs: "lstm-*-S8-*", set: {{schedules: {{grid: {{points: every epoch}}}}}}}}
```

Later values count: those of a file over those of the file that it extends, in a file its list over its other keys, and
in the list each entry over the entries before it. A key that a file gives to all runs therefore also replaces what the
extended file gives to some. A pattern that fits no run is refused. All that holds for a run, with the line of each
value: `python -m sharpest show RUN --scale small`.

**Measures.** A schedule says at which points a run is measured, and which measures are taken there. A measure has its
settings from `measures`, then from the schedule; `{{}}` takes it as it is, and `null` takes it no longer where an
extended scale does. What a measure needs of another one at the same points is set by itself, such as `keep_vectors` of
spectra for directions. Settings that count examples may not exceed the training examples of the run.

```yaml
measures:
  spectra: {{accuracy_examples: 1000}}
schedules:
  fine:
    points: every 2 iterations for 1 epoch, then every epoch
    measures: {{spectra: {{num_eigenpairs: 2}}}}
```

**Data sets.** A scale names the data of the paper, and `substitutes` says what stands in for a source that is not at
hand, wherever the scale names it. A set of substitutes is one file that a command names; with the originals, leave it
out. `config/substitutes/debian.yaml` is such a set: what stands in for what, where its files are, and in its head one
command for each that brings them. A set of your own looks the same:

```yaml
substitutes:
  ptb: {{source: bible-kjv}}
  imdb: {{source: rated-sentences, changes: {{length: 50}}}}
sources:
  bible-kjv: {{folder: ~/data}}
  rated-sentences: {{folder: ~/data}}
```

```
snakemake all --cores all --config scale=small --configfile config/substitutes/debian.yaml
```

Targets come first, since snakemake takes what follows `--configfile` for further files. The stages after `data` know
nothing of it; the notes of each figure and table say what stands in for what. A results folder holds each data set from
one source: where `{_DATA}` has it from another one than the configuration names, the command is refused.
Go on with the file that the folder was begun with, give `--directory`, or delete the folder.

`datasets` in `config.yaml` changes single keys of a data set, after the substitutes: with
`datasets: {{c100: {{source: cifar-100}}}}` that one keeps its original.

**Measurement points.** Iterations are completed updates, and 0 is the start of training. A text is
{GRAMMAR.replace("'", "`")}.
A number `x/lr` counts in units of one over the learning rate at the start.

| text | points of a run of 4 epochs of 10 iterations, learning rate 0.1 |
|---|---|
| `every 4 iterations for 2 epochs, then every epoch` | 0, 4, 8, 12, 16, 20, 30, 40 |
| `every 0.2/lr iterations for 1/lr iterations, then every 1/lr iterations` | 0, 2, 4, 6, 8, 10, 20, 30, 40 |
| `6 points, dense at the start` | 0, 2, 6, 14, 26, 40 |
| `4 points from iteration 10` | 10, 20, 30, 40 |

Points are multiples of the step, so `then every epoch` falls on the starts of epochs. Points outside the run are
refused. `best and last` are two snapshots: that of the best validation accuracy, and the last one, wherever the run
ends.

**Studies.** The name of a study is that of its files, such as `{_PATHS.figure("<name>", "pdf")}`.
In `studies.yaml`, and in a scale's own `studies`, figures begin with `fig` and tables with `tab`: the target `figures`
makes the paper's. A name in `beyond.yaml` says what its figure shows, such as `batch_sharpness`, in small letters,
digits and `_`, and begins with neither: the target `beyond` makes these, and the verdicts on later papers; `all` makes
both. `seeds`, and a scale's `seeds`, `paper_seeds` and `notes`, take names of either.

**Run ids.** `{RUN_ID_GRAMMAR}`:
optimizer, learning rate, batch size, momentum (the heavy ball's, or Nesterov's), decay rates of the moments and
decoupled weight decay (Adam's kind), scale and number of the nudged directions (NSGD), L2, images of a full-batch run,
length of a first stage, squared loss, plateau rule or full batch, seed. An id says which run of the paper is meant, at
every scale.

`-nesterov` stands behind a momentum: the step is m v - eta g of the velocity after the update, as in torch. `adam`,
`adamw` and `rmsprop` step as torch's do, with `-b1_` and `-b2_` where their decay rates are not 0.9 and 0.999 (of
RMSProp, which has no b1, 0.99); `adamw` needs `-wd_`. The epsilon of all is the scale's `adam_epsilon`. With `-mse` the
loss is half the squared distance of the logits to the one-hot target, mean over examples or words, in place of the
cross-entropy: of updates, Hessians, steps along directions, histories and evaluations alike, so that the plateau
rule goes by it as well. Where a unit says nats, such a run has that of the squared loss.

A run with `-L<epochs>` or `@e<epoch>/<variant>` is a branch: it starts from its parent's snapshot at the end of that
epoch, and no epoch of the parent is trained twice. The parent's id is the branch's without that part, and needs a row
of its own. After a first stage the learning rate falls to a tenth. Variants change the step along the sharpest
direction: `top` follows nothing else, `ctop` the direction of the branch point, `notop` all but the direction,
`x<number>` scales the step along it, and `sgd` is SGD. With `K<k>` behind it, such as `notopK10`, a variant is of the
first k directions. Others change a setting: `lr<f>` multiplies the learning rate; `S<f>` the batch size, and examples
go on at the same place of the same order; `m<m>` sets the momentum, and the velocity goes on, from 0 where there was
none. A variant that changes nothing is refused. Of Adam's kind a branch has `lr<f>` or `S<f>`. Measurement points of a
branch count from its branch point.
"""

_FILES = f"""{_HEAD}
# Results files

Each kind of HDF5 file has one layout. Writer and reader check against it, and a reader refuses a file of another
version. The root attributes `layout` and `version` are in every file; attributes that are lists or mappings are JSON.
Each array has `unit` and `meaning`, and names its dimensions (HDF5's `DIMENSION_LABELS`) by the letters of this page.
So a file can be read without the code that wrote it: `sharpest show FILE`, `sharpest export FILE mine.csv`
([command.md](command.md)).
A checksum in the user block of each file is verified before HDF5 reads it; long rows of an array have checksums of
their own in its attribute `crc32`. A file that another program has changed is therefore refused. The file of a
monitor ([watch.md](watch.md)) has the layout `together`: several of these, each in a group of its name.

Beside the checksum stands the digest of what the file holds: all arrays but those of seconds, and all attributes but
`code`, `created`, `device`, `git`, `origin`, `packages`, `reductions` and `torch_threads`. A file made again bit for
bit has the same digest. The attribute `made_from` has the digests of the files that it was made from, by their place in
the folder of the scale: a run names its data, and a branch its parent; a measured file names data and snapshots, and
the measures that it needs. What is no HDF5 has a record beside it, `<name>.made.json`: the scale, the SHA-256 of each
file that was made together, and `made_from`. Readers say which run, schedule and scale they expect, and refuse a file
of another one, or one that was made from others than are there. `sharpest verify` checks a whole folder
([operations.md](operations.md#is-it-all-right)).
"""


_APART = {(ScaleFile, "studies"), (ForRuns, "set")}


def configuration_page() -> str:
    """docs/configuration.md."""
    of_runs, measures = set(RunKeys.model_fields), [declared(name) for name in measure_names()]
    parts = [_CONFIGURATION, "## Keys of `config/config.yaml`\n", *_key_table(ProjectSettings)]
    parts += ["## Keys of a scale\n", "Beside these it has the keys of runs, further down.\n"]
    parts += _key_table(ScaleFile, of_runs)
    parts += ["## Keys of runs\n", "In a scale for all runs, below `set` for some.\n", *_key_table(RunKeys)]
    parts += ["## Keys of a measure\n", "In `measures`, and in `measures` of a schedule.\n"]
    for measure in measures:
        parts += [f"### {measure.name}\n", *_measure_table(measure)]
    parts.append("## Keys of a study\n")
    for study in models_in(AnyStudy):
        parts += [f"### {get_args(study.model_fields['kind'].annotation)[0]}\n", *_key_table(study)]
    return "\n".join(parts)


def files_page() -> str:
    """docs/files.md."""
    legend = (layouts.__doc__ or "").partition("\n\n")[2]
    parts = [_FILES, legend]
    measured = [(declared(name).layout, _PATHS.measured(name, "<run>", "<schedule>")) for name in measure_names()]
    for layout, place in (*kinds_of_files(), *measured):
        parts += [f"## {layout.name}, version {layout.version}\n", f"`{place}`\n"]
        parts += ["| array | type | dimensions | unit | meaning |", "|---|---|---|---|---|"]
        parts += [
            _row(f"`{d.name}`", f"`{d.dtype}`", _escaped(f"({', '.join(d.dims)})"), d.unit, _escaped(d.meaning))
            for d in layout.datasets
        ]
        parts.append(f"\nAttributes: {', '.join(f'`{name}`' for name in layout.attributes)}.\n")
    return "\n".join(parts)


def _measure_table(measure: Measure) -> list[str]:
    """What it measures, what it needs, its keys."""
    title = f"{measure.title[0].upper()}{measure.title[1:]}."
    needed = " and ".join(f"`{name}`" for name in measure.needs)
    needs = f" It needs {needed} at the same points." if needed else ""
    return [f"{title}{needs}\n", *_key_table(measure.settings)]


def _key_table(model: type[Strict], without: Iterable[str] = ()) -> list[str]:
    return ["| key | value | default | meaning |", "|---|---|---|---|", *_key_rows(model, "", without), ""]


def _key_rows(model: type[Strict], place: str, without: Iterable[str] = ()) -> Iterator[str]:
    """The rows of a class, each followed by those of the classes inside it."""
    properties = model.model_json_schema()["properties"]
    # the kind of a class opens its keys, before those that it has from its base
    for name, field in sorted(model.model_fields.items(), key=lambda item: item[0] != "kind"):
        if name in without:
            continue
        inner = models_in(field.annotation)
        # a kind stands for its class, and a key without a sentence for the class inside it
        described = field.description or (model.__doc__ if name == "kind" else inner[0].__doc__) or ""
        default = "" if field.is_required() else f"`{_default(field.default)}`"
        yield _row(f"`{place}{name}`", _value(properties[name]), default, _escaped(" ".join(described.split())))
        # below a mapping stand names, below a list numbers
        shape = {"object": ".<name>", "array": ".<n>"}.get(str(properties[name].get("type")), "")
        # studies have tables of their own, and so have the keys of runs
        for class_inside in inner if (model, name) not in _APART else ():
            yield from _key_rows(class_inside, f"{place}{name}{shape}.")


def _default(value: Any) -> str:
    return json.dumps(value).replace("null", "none")


def _value(schema: Mapping[str, Any]) -> str:
    """The type and range of a value in words, from its JSON schema."""
    if "anyOf" in schema:
        return ", or ".join(_value(option) for option in schema["anyOf"])
    choices = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    if choices:
        return " or ".join(f"`{choice}`" for choice in choices)
    kind = schema.get("type")
    if kind == "array":
        return f"list of: {_value(schema['items'])}"
    if kind == "object":
        # names that have to match a pattern are under the pattern
        inside = next(iter(schema.get("patternProperties", {}).values()), None) or schema["additionalProperties"]
        return f"mapping to: {'anything' if inside is True else _value(inside)}"
    words = {
        "integer": "whole number",
        "number": "number",
        "string": "text",
        "boolean": "true or false",
        "null": "none",
    }
    limits = [
        f"{words_of_limit} {schema[limit]:g}"
        for limit, words_of_limit in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if limit in schema
    ]
    return " ".join([words.get(str(kind), "the keys below"), " and ".join(limits)]).strip()


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    # what Markdown would take for the end of a cell, for emphasis, or for a tag
    return text.replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


def write_pages(folder: Path) -> None:
    """Write the pages into a folder."""
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


PAGES: dict[str, Callable[[], str]] = {"configuration.md": configuration_page, "files.md": files_page}
