"""Config, sheets, contrasts, selection of samples, and the audit of the design."""
