"""The methods of a run in words: the text that a paper can use, its references, and checksums."""
