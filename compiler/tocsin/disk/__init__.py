"""The doors to the machine: files, the output folder, Git, the cache, other programs."""
