"""The run as it was asked for: config, sheets, contrasts, who is compared, what can be answered."""
