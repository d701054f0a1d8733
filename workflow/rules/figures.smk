def spectra_of_figure(wildcards):
    curves = PROJECT.study(wildcards.figure).curves()
    return [f"{RESULTS}/spectra/{curve.run}/{curve.schedule}.h5" for curve in curves]


def directions_of_figure(wildcards):
    study = PROJECT.study(wildcards.figure)
    if not study.wants_directions():
        return []
    return [f"{RESULTS}/directions/{curve.run}/{curve.schedule}.h5" for curve in study.curves()]


rule draw_figure:
    """One figure of the paper, by the drawing function of its kind."""
    input:
        spectra=spectra_of_figure,
        directions=directions_of_figure,
    output:
        pdf=f"{RESULTS}/figures/{{figure}}.pdf",
        png=f"{RESULTS}/figures/{{figure}}.png",
        csv=f"{RESULTS}/figures/{{figure}}.csv",
    log:
        f"{RESULTS}/logs/figures/{{figure}}.log",
    conda:
        "../../envs/sharpest.yaml"
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        study=lambda wildcards: PROJECT.study(wildcards.figure).model_dump(mode="json"),
        windows=lambda wildcards: [
            PROJECT.schedule(curve.schedule).window_epochs or 0 for curve in PROJECT.study(wildcards.figure).curves()
        ],
        foot=lambda wildcards: foot_of(PROJECT.study(wildcards.figure).runs()),
        code=lambda wildcards: fingerprint(f"sharpest.figures.{PROJECT.study(wildcards.figure).kind}"),
    script:
        "../scripts/draw_figure.py"
