"""What replicas of a space exchange: records, vectors and their order."""
