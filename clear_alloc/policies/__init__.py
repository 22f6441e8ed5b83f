"""What a caller asks for: `allocate`, the policies to compare it with, and the frontier."""
