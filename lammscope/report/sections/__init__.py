"""What each section of the report says, as plain records for the template."""
