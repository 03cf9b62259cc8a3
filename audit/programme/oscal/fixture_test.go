package oscal_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/catalogue"
	"github.com/cloudopsec/opsec/audit/programme/independence"
	"github.com/cloudopsec/opsec/audit/programme/oscal"
	"github.com/cloudopsec/opsec/audit/programme/sample"
)

var (
	options = oscal.Options{Provider: "cloud.example"}
	acme    = oscal.Options{Provider: "cloud.example", Tenant: "acme"}
)

// house is a catalogue with ids that OSCAL does not take as they are, and with and without clauses.
func house() *catalogue.Catalogue {
	return &catalogue.Catalogue{
		ID: "7th_house", Title: "Rules of the *house*", Version: "3", Source: "Security office",
		Categories: []catalogue.Category{{ID: "doors", Title: "Doors & keys", Requirement: "1/a"}},
		Requirements: []catalogue.Requirement{
			{
				ID: "1/a", Clause: "1", Title: "Doors are audited", Text: "Once a year\nsomebody tries <every> door.", Categories: []string{"doors"},
				Refs: []catalogue.Ref{{Framework: catalogue.SP80053, ID: "pe-3"}, {Framework: "Our insurer", ID: "§4/2"}},
			},
			{ID: "1_a", Clause: "1", Title: "Keys are counted", Text: "At night."},
			{ID: "2", Title: "Windows are shut", Text: "Always.", Refs: []catalogue.Ref{{Framework: "Our insurer", ID: "§5"}}},
		},
	}
}

// day is one of March 2026, at nine.
func day(n int) time.Time { return time.Date(2026, 3, n, 9, 0, 0, 0, time.UTC) }

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// event is an id as the log's are: of version 7, which OSCAL does not take for its own.
func event(n int) opsec.ID { return opsec.ID(fmt.Sprintf("019cb000-0000-7000-8000-%012x", n)) }

// audited is an audit that is reported: of five procedures one passed, one failed, one was tested in part, one is not
// applicable, and one was not tested at all. Of three findings one is mended, one is being mended, one is accepted.
func audited(t testing.TB) programme.Audit {
	restored := sample.Frame{Procedure: "restore", Items: []string{"vol-1", "vol-2", "vol-3", "vol-4", "vol-5", "vol-6"}}
	rotated := sample.Frame{Procedure: "rotation", Items: []string{"key-1", "key-2"}}
	isolated := sample.Frame{Procedure: "isolation", Items: []string{"host-1", "host-2"}}
	mirrored := sample.Frame{Procedure: "mirrors", Items: []string{"pair-1"}}
	drilled := sample.Frame{Procedure: "drills", Items: []string{"drill-1"}}
	var frames []sample.Commitment
	for _, f := range []sample.Frame{drilled, isolated, mirrored, restored, rotated} {
		c, err := f.Commit()
		require.NoError(t, err)
		frames = append(frames, c)
	}
	proof := func(what, who string, at time.Time) []programme.Evidence {
		return []programme.Evidence{{
			Name: what, Digest: digest(what), Proof: "index 17 of log.cloud.example", Collected: at, Person: who, Custody: []string{who, "archive"},
		}}
	}
	a := programme.Audit{
		ID: "audit-2026-1", Stage: programme.Reported,
		Plan: programme.Plan{
			Title:      "Backups & keys, first half of 2026",
			Objectives: []string{"Backups can be restored.", "Keys are rotated *in time*."},
			Catalogue:  "x1642/1",
			Scope: independence.Scope{
				Tenants: []opsec.TenantID{"acme", "globex"}, Systems: []string{"backup", "kms"}, Actions: []string{"backup.*", "keymgmt.*"},
				Resources: []opsec.Resource{{Tenant: "acme", Type: "volume", ID: "*"}},
			},
			Customers: []opsec.TenantID{"acme", "globex"},
			From:      day(2), Until: day(13),
			Resources: []programme.Need{{Name: "A host to restore on", Guaranteed: "grace"}},
			Procedures: []programme.Procedure{
				{
					ID: "restore", Title: "Restore copies", Category: "operation", Requirements: []string{"8.10-5", "8.10-6"},
					Steps: []string{"Restore the newest copy.", "Compare it with the manifest."}, Person: "ann", Check: "backup-verify", Sample: 4,
				},
				{
					ID: "rotation", Title: "Look at the age of keys", Category: "keys", Requirements: []string{"8.2-4"},
					Steps: []string{"Read the key's states."}, Person: "bob",
				},
				{
					ID: "isolation", Title: "Look into isolation", Category: "virtualisation", Requirements: []string{"8.11.2-1"},
					Steps: []string{"Scan the host."}, Person: "ann", Check: "isolation-scan",
				},
				{
					ID: "mirrors", Title: "Look at mirrors", Category: "platform", Requirements: []string{"8.4-2"},
					Steps: []string{"Compare both sides."}, Person: "bob",
				},
				{
					ID: "drills", Title: "Read reports of drills", Category: "emergency", Requirements: []string{"8.9.2-1"},
					Steps: []string{"Read the report."}, Person: "bob",
				},
			},
			Follows: "audit-2025-2",
		},
		Team: []programme.Member{
			{Person: "carol", Function: programme.SeniorManagement, Clearance: digest("clearance")},
			{
				Person: "ann", Function: programme.Technical, Lead: true, Categories: []string{"operation", "virtualisation"},
				Clearance: digest("clearance"), Qualifications: []string{digest("course")},
			},
			{Person: "bob", Function: programme.Administrative, Categories: []string{"keys", "platform"}, Clearance: digest("clearance")},
		},
		Waivers: []programme.Waiver{{Category: "iam", Reason: "Audited last month.", Person: "carol"}},
		Freezes: []programme.Freeze{{
			Freeze: sample.Freeze{
				Audit: "audit-2026-1", Attempt: 1, Scope: sample.Digest(sha256.Sum256([]byte("scope"))), Frames: frames, NotBefore: day(2),
			},
			Event: event(3),
		}},
		Draw: &programme.Draw{
			Anchor:     sample.Anchor{Log: "log.cloud.example", Index: 16},
			Checkpoint: "log.cloud.example\n18\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— log.cloud.example c2lnbmF0dXJl\n",
			Samples:    map[string][]int{"restore": {0, 1, 3, 5}, "rotation": {0, 1}, "isolation": {0, 1}, "mirrors": {0}, "drills": {0}},
			Items: map[string][]string{
				"restore": {"vol-1", "vol-2", "vol-4", "vol-6"}, "rotation": {"key-1", "key-2"}, "isolation": {"host-1", "host-2"},
				"mirrors": {"pair-1"}, "drills": {"drill-1"},
			},
		},
		Results: []programme.Result{
			{
				Procedure: "restore", Item: "vol-1", Tenant: "acme", Status: programme.Passed, Person: "ann", Time: day(4), Automated: true,
				Evidence: proof("restore of vol-1", "ann", day(4)),
			},
			{
				Procedure: "restore", Item: "vol-2", Tenant: "globex", Status: programme.Failed, Person: "ann", Time: day(4), Automated: true,
				Detail: "The copy is empty.", Evidence: proof("restore of vol-2", "ann", day(4)),
			},
			{Procedure: "restore", Item: "vol-4", Tenant: "acme", Status: programme.Passed, Person: "ann", Time: day(4), Automated: true},
			{Procedure: "restore", Item: "vol-6", Status: programme.Passed, Person: "ann", Time: day(4), Automated: true},
			{Procedure: "rotation", Item: "key-1", Status: programme.Passed, Person: "bob", Time: day(5)},
			{Procedure: "rotation", Item: "key-2", Tenant: "acme", Status: programme.NotApplicable, Detail: "Made last week.", Person: "bob", Time: day(5)},
			{Procedure: "isolation", Item: "host-1", Status: programme.Passed, Person: "ann", Time: day(6), Automated: true},
			{
				Procedure: "isolation", Item: "host-2", Status: programme.NotTested, Detail: "The scan timed out.", Person: "ann", Time: day(6), Automated: true,
			},
			{Procedure: "mirrors", Item: "pair-1", Status: programme.NotApplicable, Detail: "No mirrors here.", Person: "bob", Time: day(6)},
		},
		Findings: []programme.Finding{
			{
				ID: "F-1", Procedure: "restore", Requirements: []string{"8.10-5", "8.10-6"}, Items: []string{"vol-2"}, Tenants: []opsec.TenantID{"globex"},
				Criterion: "Every copy can be restored.", Condition: "The copy of vol-2 is empty.", Cause: "A disk was full.",
				Effect: "Data would be lost.", Risk: opsec.SeverityHigh, Subject: "backup of vol-2", Repeats: 1, Raised: day(7),
			},
			{
				ID: "F-2", Procedure: "restore", Requirements: []string{"8.10-5"}, Items: []string{"vol-4"}, Tenants: []opsec.TenantID{"acme"},
				Criterion: "Copies are verified each day.", Condition: "That of vol-4 was verified after 3 days.\nNobody noticed.",
				Cause: "The timetable names another volume.", Effect: "Damage is found late.", Risk: opsec.SeverityMedium, Subject: "verification of vol-4", Raised: day(7),
				Accepted: &programme.Acceptance{Person: "carol", Reason: "The volume is retired in June.", Until: day(90)},
			},
			{
				ID: "F-3", Procedure: "restore", Requirements: []string{"8.10-6"},
				Criterion: "Restores are rehearsed.", Condition: "There is no record of <any>.", Cause: "It is nobody's task.",
				Effect: "Restores take longer.", Risk: opsec.SeverityLow, Subject: "rehearsals", Raised: day(8),
			},
		},
		Actions: []programme.Action{
			{
				ID: "A-1", Finding: "F-1", Text: "Watch the disks.", Owner: "dave", Due: day(20),
				Completed: day(10), Evidence: proof("alarm rule", "dave", day(10)), Rejected: 1,
			},
			{ID: "A-2", Finding: "F-1", Text: "Make the copy anew.", Owner: "dave", Due: day(11)},
			{
				ID: "A-3", Finding: "F-3", Text: "Put it on a list.", Owner: "erin", Due: day(12),
				Completed: day(9), Verified: day(11), Verifier: "bob",
			},
		},
		Grants: []programme.Grant{{
			ID: "G-1", Tool: "restore-tool", Person: "ann", Targets: []string{"volume/*"}, From: day(2), Until: day(13), Uses: 10, Used: 4,
		}},
	}
	for i, e := range []programme.Entry{
		{Time: day(1), Person: "ann", Action: programme.ActionOpen},
		{Time: day(1), Person: "ann", Action: programme.ActionAssign, What: "bob"},
		{Time: day(1), Person: "carol", Action: programme.ActionRelease},
		{Time: day(2), Person: "ann", Action: programme.ActionFreeze},
		{Time: day(3), Person: "ann", Action: programme.ActionDraw},
		{
			Time: day(4), Person: "ann", Action: programme.ActionPerform, What: "restore", Reason: "The first run had the wrong manifest.",
			Replaced: []programme.Result{{Procedure: "restore", Item: "vol-4", Status: programme.Failed, Detail: "Digests differ."}},
		},
		{Time: day(12), Person: "ann", Action: programme.ActionIssue},
	} {
		e.Event = event(i)
		a.History = append(a.History, e)
	}
	return a
}
