# Jobs that fail once in Slurm, of memory or time, and succeed with more of it.


rule all:
    input:
        "memory.txt",
        "time.txt",


rule fill_memory:
    output:
        "memory.txt",
    resources:
        mem_mb=lambda wildcards, attempt: 400 * attempt,
        runtime=10,
    shell:
        "python -c 'import time; x = bytearray(500 * 2**20); time.sleep(12)' && "
        "echo {resources.mem_mb} > {output}"


rule take_long:
    output:
        "time.txt",
    resources:
        mem_mb=400,
        runtime=lambda wildcards, attempt: attempt,
    shell:
        "sleep $(( {resources.runtime} == 1 ? 150 : 0 )) && echo {resources.runtime} > {output}"
