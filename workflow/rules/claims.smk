from sharpest.claims.ledger import read_ledger
from sharpest.claims.plans import files_behind, plan_claims, with_new_seeds

try:
    CLAIMS = with_new_seeds(
        read_ledger(Path(workflow.basedir) / "config/claims.csv"), PROJECT
    )
    CLAIM_PLANS = plan_claims(CLAIMS, PROJECT)
except SharpestError as error:
    raise WorkflowError(str(error))


rule judge_claims:
    """The paper's claims, each judged on the measured files."""
    input:
        list(map(str, files_behind(CLAIMS, CLAIM_PLANS, PATHS))),
    output:
        csv=report(
            str(PATHS.claims("csv")),
            caption="../report/claims.rst",
            category="Claims",
        ),
        chance=str(PATHS.claims("by_chance.csv")),
        by_seed=str(PATHS.claims("by_seed.csv")),
        md=str(PATHS.claims("md")),
    log:
        str(PATHS.log("claims")),
    conda:
        "../../envs/sharpest.yaml"
    resources:
        mem_mb=2000,
        runtime=grows(5),
    params:
        ledger=[dict(claim.row) for claim in CLAIMS],
        plans={
            claim: [source.model_dump(exclude_none=True) for source in sources]
            for claim, sources in CLAIM_PLANS.items()
        },
        # numbers are the paper's, and so are only its own scale's to reach
        paper_scale=SCALE == "paper",
        foot=f"Scale {SCALE}: {PROJECT.scale.description}.",
        code=code_behind(
            "judge_claims.py",
            *map(
                reading_module,
                sorted(
                    {
                        measure
                        for sources in CLAIM_PLANS.values()
                        for source in sources
                        for measure in source.schedules
                    }
                ),
            ),
        ),
    script:
        "../scripts/judge_claims.py"
