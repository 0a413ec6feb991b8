"""What `pytest benchmarks` runs: each case, then the verdict on each cell."""


def test_finetune(glue_run, glue_show_times, glue_case):
    """Fine-tune and score one case, such as sst2-mine-cpu-fp32-s42."""
    record = glue_run(glue_case)  # fails this test if the run failed
    glue_show_times(record)
    # Demand more here if you like: assert record.score > record.floor + 0.05


def test_regression(glue_verdict, glue_cell):
    """With --glue-baseline NAME: fails if the cell's scores are worse than the baseline's."""
    glue_verdict(glue_cell)


def test_speed(glue_speed, glue_speed_cell):
    """With --glue-ab SIDE: fails if the cell is slower than on that side."""
    glue_speed(glue_speed_cell)
