"""What servers speak: Grafana's rule shapes and the table of what each version understands."""
