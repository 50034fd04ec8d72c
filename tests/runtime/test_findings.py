from ramax import Space
from ramax.runtime.findings import MAX_FINDINGS, Finding, Findings, SpaceReport
from ramax.values import EPOCH


def test_findings_are_all_counted_but_not_all_kept():
    findings = Findings()
    for number in range(MAX_FINDINGS + 5):
        findings.add("pstate", f"{number}")
    assert findings.count == MAX_FINDINGS + 5
    assert len(findings.named) == MAX_FINDINGS
    assert findings.named[0] == Finding("pstate", "0")


def test_a_report_without_findings_is_ok():
    def report(count: int) -> SpaceReport:
        return SpaceReport(Space(1, "a", EPOCH), 0, 0, 0, None, None, None, (), count)

    assert report(0).ok
    assert not report(1).ok
