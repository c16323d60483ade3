"""The contract between curation and training: tables, samples, video bytes. No torch, no ray."""
