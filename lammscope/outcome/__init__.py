"""Whether the conclusion stands: survival, other reasonable choices, and another cohort."""
