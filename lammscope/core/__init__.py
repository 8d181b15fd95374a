"""What every room needs: files between steps, the job log, words and numbers that are shared."""
