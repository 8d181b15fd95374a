"""Names in the tables of survival."""

PRIMARY, SECONDARY = "primary", "secondary"  # roles
BASELINE, LANDMARK, RESPONSE = "baseline", "landmark", "response"  # analyses
HALVES = ("low", "high")  # up to the median of the marker, and above it
EVENT_FREE = "event_free"  # Kaplan-Meier
KEYS = ["endpoint", "analysis", "timepoint", "compartment", "marker", "denominator", "adjusted"]
