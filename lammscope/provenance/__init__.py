"""What each result was made from: records of jobs, results that are out of date, verification."""
