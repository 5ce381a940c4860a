"""What a user calls: the command, its options, and each of its parts."""
