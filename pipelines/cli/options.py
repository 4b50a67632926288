"""Arguments and options that several commands have: each is declared here, once."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from hierarchy.disk.paths import expanded

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", metavar="FILE", help="YAML file with the settings; see configs/.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One setting, over what the file says; can be repeated."),
]
TextColumnOption = Annotated[
    list[str] | None,
    typer.Option(
        "--text-column",
        metavar="COLUMN",
        help="Column of the text, in place of data.text (by default: text); repeated, the columns make one text.",
    ),
]
LabelColumnOption = Annotated[
    str | None,
    typer.Option(
        "--label-column", metavar="COLUMN", help="Column of the label, in place of data.label (by default: label)."
    ),
]
SplitOption = Annotated[
    str | None, typer.Option("--split", metavar="NAME", help="Split of FILE, a data set that has several.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PageOption = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page to open in a browser.")]

ModelArgument = Annotated[
    Path, typer.Argument(help="Folder that train wrote, or a model on the hub: org/name, org/name@revision.")
]
NewModelOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FOLDER", help="Folder of the new model; MODEL itself to replace it."),
]
LabelledArgument = Annotated[str, typer.Argument(parser=expanded, help="Documents with their labels.")]
RoutingOption = Annotated[
    Literal["auto", "exhaustive", "beam"] | None,
    typer.Option("--routing", help="How labels are chosen; by default as the model was trained."),
]
BeamOption = Annotated[int | None, typer.Option("--beam", min=1, help="Groups that the beam keeps.")]
DeviceOption = Annotated[
    str | None, typer.Option("--device", help="Torch device; by default a GPU where there is one.")
]
EngineOption = Annotated[
    Literal["local", "ray"] | None,
    typer.Option("--engine", help="Who does the work: processes of this machine (local, the default), or Ray."),
]
ProcessesOption = Annotated[
    int | None,
    typer.Option(
        "--processes", min=1, help="Processes that share the work; by default one, with --engine ray one a core."
    ),
]
AddressOption = Annotated[
    str | None,
    typer.Option("--address", help="With --engine ray: of a cluster (auto, host:port); by default Ray is begun here."),
]
TopOption = Annotated[int, typer.Option("--top-k", min=1, help="Paths listed for a document.")]
IdOption = Annotated[str | None, typer.Option("--id", metavar="COLUMN", help="Column that is passed through as id.")]
BaselinesOption = Annotated[
    bool, typer.Option("--baselines/--no-baselines", help="Fit the flat models beside the model.")
]

FoldsOption = Annotated[int, typer.Option("--folds", min=2, help="Parts; each is answered by a model of the others.")]
RepeatsOption = Annotated[int, typer.Option("--repeats", min=1, help="Times that the documents are dealt anew.")]
SourceOption = Annotated[
    str | None,
    typer.Option(
        "--source-column",
        metavar="COLUMN",
        help="Source of a document (customer, thread): documents with the same one stay on one side of every split.",
    ),
]

TaxonomyArgument = Annotated[
    Path, typer.Argument(help="Taxonomy (.yaml, .json, .csv, .tsv, .xlsx, .txt) or the folder of a model.")
]


def _column(name: str, what: str) -> typer.models.OptionInfo:
    return typer.Option(f"--{name}-column", metavar="COLUMN", help=f"Column of the tree's file: {what}.")


# How the file of a tree is read, by the arguments of `Taxonomy.from_file`; docs/file-formats.md tells what is guessed.
TREE_OPTIONS: dict[str, Any] = {
    "label_column": Annotated[str | None, _column("label", "the labels, or their paths")],
    "group_column": Annotated[list[str] | None, _column("group", "the group; repeated, from the top down")],
    "id_column": Annotated[str | None, _column("id", "the ids, where the labels' column holds names")],
    "parent_column": Annotated[str | None, _column("parent", "the id of the row above")],
    "description_column": Annotated[str | None, _column("description", "the descriptions")],
    "sheet": Annotated[str | None, typer.Option("--sheet", metavar="NAME", help="Sheet of an Excel file.")],
    "separator": Annotated[
        str | None,
        typer.Option("--separator", metavar="TEXT", help="What parts the names of a path ('>'); none: they are whole."),
    ],
    "coarse_level": Annotated[
        int | None,
        typer.Option("--coarse-level", min=1, help="Level of a deeper tree whose nodes are the groups; 1 is the top."),
    ],
    "inner_nodes": Annotated[
        bool | None, typer.Option("--inner-nodes", help="Make labels of inner nodes too, and not of leaves alone.")
    ],
}
# What sets them where the remedy of an error names them.
TREE_REMEDIES = {
    name: f"--{name.replace('_', '-')}" + (" COLUMN" if name.endswith("_column") else " {}") for name in TREE_OPTIONS
}
