"""What every other room builds on."""
