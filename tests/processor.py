"""What a process costs, whoever else is at work on the machine."""

import resource
import subprocess
import sys


def processor_time(*arguments: str) -> tuple[float, str]:
    """Seconds of the processor that Python takes with these arguments, and what it prints."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    text = subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, text
