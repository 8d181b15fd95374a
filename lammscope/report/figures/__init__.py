"""Figures of the report; each module draws one kind."""
