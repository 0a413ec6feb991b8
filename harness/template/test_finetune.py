"""What `pytest benchmarks` runs, and what `glue-bench ab` runs on both sides: each case."""


def test_finetune(glue_run, glue_show_times, glue_case):
    """Fine-tune and score one case, such as sst2-mine-cpu-fp32-s42."""
    record = glue_run(glue_case)  # fails this test if the run failed
    glue_show_times(record)
    # Demand more here if you like: assert record.score > record.floor + 0.05
