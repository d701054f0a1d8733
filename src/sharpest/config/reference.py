"""The reference pages docs/configuration.md and docs/files.md, generated from the classes that validate."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from sharpest.config.measures import Measure, declared, measure_names
from sharpest.config.reading import models_in
from sharpest.config.run_id import GRAMMAR as RUN_ID_GRAMMAR
from sharpest.config.schedule import GRAMMAR
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

| file | content |
|---|---|
| `config/config.yaml` | the scale, changes to its data sets, locations of data files |
| `config/scales/<scale>.yaml` | settings of runs and measurements |
| `config/substitutes/<set>.yaml` | substitutes for data that are not available; named with `--configfile` |
| `config/runs.tsv` | the runs: id, group, length in epochs at paper scale |
| `config/studies.yaml` | the runs behind each figure and table of the paper, and how they are drawn |
| `config/beyond.yaml` | the same for figures beyond the paper |
| `config/claims.csv`, `config/claims/<paper>.csv` | the claims of the papers, see [claims.md](claims.md) |

Unknown keys are refused, and everything is checked before the first job starts. Keys of `config.yaml` can also be set
on the command line: `snakemake --config scale=small`.

**Scales.** A scale with `extends: paper` lists only its changes: mappings are merged key by key, other values are
replaced. The notes of every figure and the foot of every table list the differences from the paper's scale.

**Keys for some runs.** The run keys of a scale apply to all runs. The list `for_runs` sets keys for the runs whose ids
fit a pattern (`*` any text, `?` one character, `[ab]` one of these):

```yaml
epochs: 20
hessian: {{examples: 256}}
for_runs:
  - {{runs: "*-plat-*", set: {{epochs: 60, patience: 10}}}}
  - {{runs: "lstm-*", set: {{clip_norm: 5, hessian: {{examples: 96}}}}}}
  - {{runs: "lstm-*-S8-*", set: {{schedules: {{grid: {{points: every epoch}}}}}}}}
```

Later values take precedence: a file over the file that it extends, within a file the list over the other keys, and
within the list each entry over the entries before it. A key that a file sets for all runs therefore also replaces what
the extended file sets for some. A pattern that fits no run is refused. `python -m sharpest show RUN --scale small`
lists all settings of a run, each with the line that sets it.

**Measures.** A schedule sets the points at which a run is measured, and the measures that are taken there. The settings
of a measure come from `measures`, and the schedule overrides them. In a schedule, `{{}}` takes a measure with its
settings unchanged, and `null` drops a measure that an extended scale takes. Settings that one measure needs of another
one at the same points are set automatically, such as `keep_vectors` of spectra for directions. Settings that count
examples may not exceed the training examples of the run.

```yaml
measures:
  spectra: {{accuracy_examples: 1000}}
schedules:
  fine:
    points: every 2 iterations for 1 epoch, then every epoch
    measures: {{spectra: {{num_eigenpairs: 2}}}}
```

**Data sets.** A scale names the data of the paper. `substitutes` replaces a source that is not available, wherever the
scale names it. A set of substitutes is one file, named on the command line; to use the originals, leave it out.
`config/substitutes/debian.yaml` is such a set: it lists the substitutes and where their files are, and its head has one
command for each that fetches them. Your own set looks the same:

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

Targets come first, since snakemake takes everything after `--configfile` as further files. The stages after `data` do
not depend on substitutes; the notes of each figure and table list them. A results folder holds each data set from one
source: if `{_DATA}` has it from a source other than the configured one, the command is refused.
Continue with the file with which the folder was begun, give `--directory`, or delete the folder.

`datasets` in `config.yaml` changes single keys of a data set, after the substitutes:
`datasets: {{c100: {{source: cifar-100}}}}` keeps the original of this data set.

**Measurement points.** Iterations are completed updates; 0 is the start of training. The text of a schedule is
{GRAMMAR.replace("'", "`")}.
A number `x/lr` counts in units of one over the initial learning rate.

| text | points of a run of 4 epochs of 10 iterations, learning rate 0.1 |
|---|---|
| `every 4 iterations for 2 epochs, then every epoch` | 0, 4, 8, 12, 16, 20, 30, 40 |
| `every 0.2/lr iterations for 1/lr iterations, then every 1/lr iterations` | 0, 2, 4, 6, 8, 10, 20, 30, 40 |
| `6 points, dense at the start` | 0, 2, 6, 14, 26, 40 |
| `4 points from iteration 10` | 10, 20, 30, 40 |

Points are multiples of the step, so `then every epoch` falls on the starts of epochs. Points outside the run are
refused. `best and last` are two snapshots: the one of the best validation accuracy, and the last one, wherever the run
ends.

**Studies.** The name of a study is the name of its files, such as `{_PATHS.figure("<name>", "pdf")}`.
In labels, titles and captions, `{{eta}}`, `{{S}}` and `{{L}}` stand for the learning rate, the batch size and the epoch
of the branch that are used, with the paper's in brackets where it differs.
In `studies.yaml` and in a scale's own `studies`, names of figures begin with `fig` and names of tables with `tab`; the
target `figures` makes them. A name in `beyond.yaml` describes what its figure shows, such as `batch_sharpness`, in
lower-case letters, digits and `_`, and begins with neither prefix; the target `beyond` makes these figures and the
verdicts on later papers. `all` makes both. `seeds`, and a scale's `seeds`, `paper_seeds` and `notes`, accept the names
of both.

**Run ids.** `{RUN_ID_GRAMMAR}`:
optimizer, learning rate, batch size, momentum (heavy-ball or Nesterov), decay rates of the moments and decoupled weight
decay (adaptive optimizers), scale and number of the nudged directions (NSGD), L2, number of images of a full-batch run,
length of a first stage, squared loss, plateau rule or full batch, seed. An id names the same run of the paper at every
scale.

`-nesterov` follows a momentum: with the velocity v after the update, the step is m v - eta g, as in torch. `adam`,
`adamw` and `rmsprop` step as in torch. `-b1_` and `-b2_` set decay rates other than the defaults 0.9 and 0.999 (RMSProp
has no b1, and 0.99 for b2); `adamw` requires `-wd_`. All use the scale's `adam_epsilon`. With `-mse` the loss is half
the squared distance of the logits to the one-hot target, averaged over examples or words, instead of the cross-entropy.
This applies to updates, Hessians, steps along directions, histories and evaluations, and thus to the plateau rule. For
such a run, the unit nats means the unit of the squared loss.

A run with `-L<epochs>` or `@e<epoch>/<variant>` is a branch: it starts from its parent's snapshot at the end of that
epoch, and no epoch of the parent is trained twice. The parent's id is the branch's id without that part, and needs a
row of its own. After a first stage the learning rate falls to a tenth. Some variants change the step along the sharpest
direction: `top` follows only this direction, `ctop` only the direction of the branch point, and `notop` everything
except the direction; `x<number>` scales the step along it, and `sgd` is plain SGD. With the suffix `K<k>`, as in
`notopK10`, a variant applies to the first k directions. Other variants change a setting. `lr<f>` multiplies the
learning rate. `S<f>` multiplies the batch size, and the examples continue at the same place in the same order. `m<m>`
sets the momentum, and the velocity continues, from 0 if there was none. A variant that changes nothing is refused. With
adaptive optimizers, a branch takes `lr<f>` or `S<f>`. Measurement points of a branch count from its branch point.
"""

_FILES = f"""{_HEAD}
# Results files

Each kind of HDF5 file has one layout. Writers and readers check against it, and readers refuse files of another
version. Every file has the root attributes `layout` and `version`; attributes that are lists or mappings are JSON. Each
array has the attributes `unit` and `meaning`, and names its dimensions (HDF5's `DIMENSION_LABELS`) by the letters of
this page. A file can therefore be read without the code that wrote it: `sharpest show FILE`,
`sharpest export FILE mine.csv` ([command.md](command.md)).
A checksum in the user block of each file is verified before HDF5 reads the file; long rows of an array have their own
checksums in its attribute `crc32`. A file that another program has changed is therefore refused. The file of a monitor
([watch.md](watch.md)) has the layout `together`: several of these layouts, each in a group of its name.

Next to the checksum is the digest of the file's content: all arrays except those in seconds, and all attributes except
`code`, `created`, `device`, `git`, `origin`, `packages`, `reductions` and `torch_threads`. A file made again bit for
bit has the same digest. The attribute `made_from` holds the digests of the files that it was made from, by path
relative to the folder of the scale: a run lists its data, and a branch also its parent; a measured file lists data,
snapshots, and the measures that it needs. Other files have a record `<name>.made.json` beside them: the scale, the
SHA-256 of each file that was made together, and `made_from`. Readers expect a run, schedule and scale; they refuse a
file that belongs to others, or was made from other files than the present ones. `sharpest verify` checks a whole folder
([operations.md](operations.md#is-it-all-right)).
"""


_APART = {(ScaleFile, "studies"), (ForRuns, "set")}


def configuration_page() -> str:
    """docs/configuration.md."""
    of_runs, measures = set(RunKeys.model_fields), [declared(name) for name in measure_names()]
    parts = [_CONFIGURATION, "## Keys of `config/config.yaml`\n", *_key_table(ProjectSettings)]
    parts += ["## Keys of a scale\n", "A scale also has the keys of runs, further down.\n"]
    parts += _key_table(ScaleFile, of_runs)
    parts += [
        "## Keys of runs\n",
        "In a scale, for all runs; below `set`, for some.\n",
        *_key_table(RunKeys),
    ]
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
    """What a measure measures, the measures that it needs, and its keys."""
    title = f"{measure.title[0].upper()}{measure.title[1:]}."
    needed = " and ".join(f"`{name}`" for name in measure.needs)
    needs = f" It needs {needed} at the same points." if needed else ""
    return [f"{title}{needs}\n", *_key_table(measure.settings)]


def _key_table(model: type[Strict], without: Iterable[str] = ()) -> list[str]:
    return ["| key | value | default | meaning |", "|---|---|---|---|", *_key_rows(model, "", without), ""]


def _key_rows(model: type[Strict], place: str, without: Iterable[str] = ()) -> Iterator[str]:
    """The rows of a class, each followed by the rows of the classes inside it."""
    properties = model.model_json_schema()["properties"]
    # kind comes first, before the keys of the base class
    for name, field in sorted(model.model_fields.items(), key=lambda item: item[0] != "kind"):
        if name in without:
            continue
        inner = models_in(field.annotation)
        # a kind is described by its class, and a key without a description by the class inside it
        described = field.description or (model.__doc__ if name == "kind" else inner[0].__doc__) or ""
        default = "" if field.is_required() else f"`{_default(field.default)}`"
        yield _row(f"`{place}{name}`", _value(properties[name]), default, _escaped(" ".join(described.split())))
        # a mapping contains names, a list contains numbers
        shape = {"object": ".<name>", "array": ".<n>"}.get(str(properties[name].get("type")), "")
        # studies and keys of runs have their own tables
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
        # a mapping whose names must match a pattern has its values under the pattern
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
    # Markdown would take these for the end of a cell, for emphasis, or for a tag
    return text.replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


def write_pages(folder: Path) -> None:
    """Write the pages into a folder."""
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


PAGES: dict[str, Callable[[], str]] = {"configuration.md": configuration_page, "files.md": files_page}
