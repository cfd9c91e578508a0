"""The outcome of a run: what pytest prints, the exit status, and the files of --report, --json and --learn."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import learn
import pytest
from machine import expectation, json_of
from report import Run, curl, findings, markdown
from run import EXIT_NOT_WELL, counted, data_is_changing, exit_status, last_line
from survey import Survey
from verdict import DIFFERS, HOLDS, NOT_CHECKED, READING, Result

SHOWN = {
    HOLDS: ("passed", ".", "PASSED"),
    DIFFERS: ("differ", "D", ("DIFFERS", {"red": True})),
    READING: ("other reading", "R", ("OTHER READING", {"yellow": True})),
    NOT_CHECKED: ("skipped", "s", "NOT CHECKED"),
}
MOST_OTHERS = 8  # results of a finding that are printed
# Options that the report repeats. Keys are secret.
OPTIONS = ["max_calls", "delay", "session_filter", "start_date", "end_date", "strict_readings", "expect"]


class Outcome:
    """A plugin of pytest that collects the results and writes them."""

    def __init__(self, config, survey: Survey):
        self.config, self.survey = config, survey
        self.results: dict[str, Result] = {}
        self.notes: list[str] = []  # sentences that a reader of the result needs
        self.learned: dict[str, str] = {}
        self.status = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report):
        """Count differences from the text and from our reading separately."""
        result = self.results.get(report.nodeid)
        if result is None or report.when == "teardown" or (report.when == "setup" and report.passed):
            return None
        return SHOWN[result.verdict]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session):
        results, option = list(self.results.values()), self.config.getoption
        if session.exitstatus == pytest.ExitCode.INTERRUPTED and self.survey.api.not_well:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self.status = int(session.exitstatus)
        if results and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            self.judge(session, results)
        elif results and session.exitstatus == pytest.ExitCode.INTERRUPTED:
            self.notes.append(f"The run was interrupted after {len(results)} of {session.testscollected} checks.")
        if results and session.exitstatus != pytest.ExitCode.INTERRUPTED and (file := option("learn")):
            self.learn(Path(file))
        run = self.run_of(results)
        if results and (file := option("report")):
            Path(file).write_text(markdown(run, results), encoding="utf-8")
        if results and (file := option("json")):
            Path(file).write_text(json.dumps(json_of(run, results), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        outcome = yield
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter and results:
            reporter.write_line(last_line(results))
        return outcome

    def judge(self, session, results: list[Result]) -> None:
        count = counted(results)
        if faults := self.survey.api.line_faults:
            self.notes.append(f"{faults}.")
        if count[DIFFERS] and data_is_changing(self.survey):
            self.notes.append(
                "The data is changing: the first query gets another response now. Differences may come from that; "
                "--end-date may help."
            )
        status, why = exit_status(self.survey, results, self.config.getoption("strict_readings"))
        if (file := self.config.getoption("expect")) and status != EXIT_NOT_WELL:
            status, why = expectation(Path(file), results)
        if why:
            self.notes.append(why)
        self.status = session.exitstatus = status

    def learn(self, file: Path) -> None:
        """Write the readings that can be told, in the form of CONVERSIONS_READING, and say which can't."""
        for name in learn.READINGS:
            try:
                told = self.survey.told(name)
            except pytest.skip.Exception as reason:
                self.notes.append(f"Reading {name}: {reason}.")
                continue
            if told.value == learn.ANOTHER:
                self.notes.append(f"Reading {name}: none of those that are known. {told.how}.")
            else:
                self.learned[name] = told.value
        if any(result.verdict == DIFFERS for result in self.results.values()):
            self.notes.append("What was learnt can be wrong: it is certain only for a server that does what the text says.")
        file.write_text(json.dumps(self.learned, indent=1) + "\n", encoding="utf-8")

    def run_of(self, results: list[Result]) -> Run:
        api, option = self.survey.api, self.config.getoption
        options = {name: value for name in OPTIONS if (value := option(name))}
        readings = {name: told.how for name, told in self.survey.shown_readings.items()}
        values = {name: told.value for name, told in self.survey.shown_readings.items()}
        told_by = {name: [curl(each, api.endpoint) for each in seen] for name, seen in self.survey.told_by.items()}
        date = datetime.now(UTC).replace(microsecond=0).isoformat()
        return Run(api.endpoint, date, options, api.count, self.status, last_line(results), self.notes, readings, values, told_by)

    def pytest_terminal_summary(self, terminalreporter):
        write, results = terminalreporter.write_line, list(self.results.values())
        for verdict in (DIFFERS, READING):
            of_verdict = [result for result in results if result.verdict == verdict]
            if of_verdict:
                terminalreporter.section(verdict)
            for finding in findings(of_verdict):
                write(finding.result.headline)
                write(f"    {finding.result.nodeid}")
                if finding.origin:
                    write(f"    may follow from {finding.origin.id}")
                for exchange in finding.result.exchanges:
                    write(f"    {exchange}")
                if finding.others:
                    write(f"    {finding.heading_of_others}:")
                for other in finding.others[:MOST_OTHERS]:
                    write(f"      {other.id}: {other.how[:120]}{'…' if len(other.how) > 120 else ''}")
                if len(finding.others) > MOST_OTHERS:
                    write(f"      and {len(finding.others) - MOST_OTHERS} more, which --report lists")
        reasons: dict[str, list[Result]] = {}
        for result in results:
            if result.verdict == NOT_CHECKED:
                reasons.setdefault(result.how, []).append(result)
        if reasons:
            terminalreporter.section(NOT_CHECKED)
        for reason, of_reason in reasons.items():
            names = list(dict.fromkeys(re.sub(r"\[.*", "", result.title) for result in of_reason))
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            write(f"{len(of_reason)} not checked: {reason} ({'; '.join(names[:3])}{more})")
        terminalreporter.section("result")
        write(f"Calls made to {self.survey.api.endpoint}: {self.survey.api.count}")
        for note in self.notes:
            write(note)
