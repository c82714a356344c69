"""The pipeline under load: thousands of conditions through Snakemake, and its memory at ten thousand."""
