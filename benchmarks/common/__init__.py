"""What the benchmarks of policies and of speed share: files of rows, their environment, tables, pages, commands."""
