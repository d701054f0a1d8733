from sharpest.report.render import assets_digest
from sharpest.report.setup import setup_of

SETUP = setup_of(
    PROJECT, CLAIMS[PAPER], CLAIM_PLANS[PAPER], later_claims=BEYOND in CLAIMS
)


rule write_report:
    """Write one self-contained page with the claims of all papers and the measurements."""
    input:
        list(map(str, SETUP.inputs(PATHS))),
    output:
        str(PATHS.report()),
        str(PATHS.made(PATHS.report())),
    log:
        str(PATHS.log("report")),
    conda:
        "../../envs/sharpest.yaml"
    resources:
        mem_mb=2000,
        runtime=grows(5),
    params:
        **SETUP.parts(),
        folder=lambda wildcards, output: str(Path(output[0]).parent),
        assets=assets_digest(),
        code=code_behind("write_report.py", *map(reading_module, SETUP.measured())),
    script:
        "../scripts/write_report.py"
