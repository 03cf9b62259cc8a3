package report_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/report"
)

// Why something was done, and what stood there before it was corrected, is in the auditors' report, and in no customer's.
func TestHistorySaysWhy(t *testing.T) {
	src := spring(t)
	src.Audit.History = append(src.Audit.History, programme.Entry{
		Action: programme.ActionPerform, Reason: "the wrong line was read",
		Replaced: []programme.Result{{Procedure: "restores", Item: "vol-17", Status: programme.Failed, Detail: "no copy there"}},
	})
	all := markdown(t, view(t, src, report.Auditor))
	require.Contains(t, all, "the wrong line was read")
	require.Contains(t, all, "vol-17 of restores was failed: no copy there")
	require.NotContains(t, markdown(t, view(t, src, report.Tenant("acme"))), "the wrong line was read")
}

// A customer whom an item was taken to be of, by mistake, is another customer too.
func TestWhoWasNamedByMistakeIsNotNamed(t *testing.T) {
	src := spring(t)
	src.Audit.History = append(src.Audit.History, programme.Entry{Replaced: []programme.Result{{Item: "vol-17", Tenant: "wrongco"}}})
	src.Audit.Plan.Title = "Audit, vol-17 is not wrongco's"
	require.NotContains(t, page(t, view(t, src, report.Tenant("acme"))), "wrongco")
	require.Contains(t, page(t, view(t, src, report.Auditor)), "wrongco")
}

// How long there were checkpoints to choose from is seen.
func TestFreezeSaysUntilWhen(t *testing.T) {
	src := spring(t)
	freeze := &src.Audit.Freezes[len(src.Audit.Freezes)-1]
	freeze.NotBefore, freeze.NotAfter = time.Date(2026, 2, 20, 9, 0, 0, 0, time.UTC), time.Time{}
	require.Contains(t, markdown(t, view(t, src, report.Auditor)), "signed from 2026-02-20 09:00 UTC to 2026-02-21 09:00 UTC")
	freeze.NotAfter = time.Date(2028, 2, 20, 9, 0, 0, 0, time.UTC)
	require.Contains(t, markdown(t, view(t, src, report.Auditor)), "signed from 2026-02-20 09:00 UTC to 2028-02-20 09:00 UTC")
}
