"""The record types and the log they travel on."""
