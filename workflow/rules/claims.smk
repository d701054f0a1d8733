from sharpest.claims.ledger import read_ledgers
from sharpest.claims.plans import files_behind, plan_claims, with_new_seeds

try:
    # ledger -> claims; the ledger of later papers is left out if it is empty
    CLAIMS = {
        ledger: with_new_seeds(claims, PROJECT)
        for ledger, claims in read_ledgers(Path(workflow.basedir) / "config").items()
        if claims or ledger == PAPER
    }
    CLAIM_PLANS = {
        ledger: plan_claims(claims, PROJECT) for ledger, claims in CLAIMS.items()
    }
except SharpestError as error:
    raise WorkflowError(str(error))


wildcard_constraints:
    ledger=one_of(CLAIMS),


rule judge_claims:
    """Judge the claims of the paper, or of later papers, on the measured files."""
    input:
        files_of_claims,
    output:
        csv=report(
            str(verdicts(PATHS, "{ledger}", "csv")),
            caption="../report/claims.rst",
            category="Claims",
        ),
        chance=str(verdicts(PATHS, "{ledger}", "by_chance.csv")),
        by_seed=str(verdicts(PATHS, "{ledger}", "by_seed.csv")),
        md=str(verdicts(PATHS, "{ledger}", "md")),
        made=str(PATHS.made(verdicts(PATHS, "{ledger}", "md"))),
    log:
        str(PATHS.log("{ledger}")),
    conda:
        "../../envs/sharpest.yaml"
    resources:
        mem_mb=2000,
        runtime=grows(5),
    params:
        ledger=lambda wildcards: [dict(claim.row) for claim in CLAIMS[wildcards.ledger]],
        plans=lambda wildcards: {
            claim: [source.model_dump(exclude_none=True) for source in sources]
            for claim, sources in CLAIM_PLANS[wildcards.ledger].items()
        },
        # claims with absolute numbers are judged only at the paper's scale
        paper_scale=SCALE == "paper",
        foot=f"Scale {SCALE}: {PROJECT.scale.description}.",
        code=code_of_claims,
    script:
        "../scripts/judge_claims.py"
