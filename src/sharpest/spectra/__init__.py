"""Leading eigenpairs of the Hessian along a run."""
