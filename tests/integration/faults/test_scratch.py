from tests.integration.faults.test_processes import *
def test_scratch(machines, clock):
    def ch(a): a["trigger"].update(posture="Proactive", after=["prefect.flow-run.Crashed"], expect=["prefect.flow-run.*"], within=10)
    machines.runs.change_automation("restart", ch)
    test_a_song_whose_process_is_killed_is_made_again(machines, clock)
def test_scratch2(machines, clock):
    test_a_worker_killed_with_its_flows(machines, clock, 40)
def test_scratch3(machines, clock):
    test_a_killed_training_goes_on_from_its_last_epoch(machines, clock)
