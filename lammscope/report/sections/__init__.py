"""Content of each section of the report, as plain records for the template."""
